import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { testEvent } from '../contract/test-event.ts';
import { createLogger } from '../log.ts';
import { openDatabase } from './database.ts';
import { createEventBus } from './event-bus.ts';
import { createKeyValue } from './key-value.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strata-database-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('a file that is no database is DATA_LOSS and named, and stays as it is', async () => {
  const path = join(folder, 'state.db');
  await writeFile(path, 'not a database at all, but long enough to be read as a header of one'.repeat(20));
  expect(() => openDatabase(path)).toThrow(
    expect.objectContaining({ code: 'DATA_LOSS', message: expect.stringContaining(path) }),
  );
});

test('a transaction that fails changes nothing', () => {
  const database = openDatabase(join(folder, 'state.db'));
  database.sql.exec('create table t (x)');
  const failing = () =>
    database.transaction(() => {
      database.sql.exec('insert into t values (1)');
      throw new Error('half way');
    });
  expect(failing).toThrow('half way');
  expect(database.sql.prepare('select count(*) as n from t').get()).toEqual({ n: 0 });
  database.close();
});

test('events beyond age or number are dropped, but none that somebody has still to handle', async () => {
  const database = openDatabase(join(folder, 'state.db'));
  const events = createEventBus(database);
  await (
    await events.subscribe({ durable: 'slow', subjects: ['strata.kept.>'], handler: async () => undefined })
  ).stop();
  await events.publish(testEvent('kept', 'strata.kept.long'));
  for (let i = 0; i < 10; i++) await events.publish(testEvent(`old-${i}`));
  createEventBus(database, { retention: { maxAgeMs: 3600_000, maxEvents: 3 } });
  const left = database.sql.prepare('select id from events order by seq').all();
  expect(left).toEqual(['kept', 'old-7', 'old-8', 'old-9'].map((id) => ({ id })));
  createEventBus(database, { retention: { maxAgeMs: -1, maxEvents: 3 } });
  expect(database.sql.prepare('select id from events').all()).toEqual([{ id: 'kept' }]);
  database.close();
});

test('the log is told of every delivery that failed, and how it goes on', async () => {
  const database = openDatabase(join(folder, 'state.db'));
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ service: 'test', destination: { write: (line) => void lines.push(JSON.parse(line)) } });
  const events = createEventBus(database, { log });
  const handler = async () => {
    throw new TypeError('a bug');
  };
  await events.subscribe({ durable: 'd', subjects: ['strata.>'], handler, maxDeliver: 2, backoffMs: [1] });
  await events.publish(testEvent('1'));
  while ((await events.deadLetters()).length === 0) await delay(5);
  await events.close();
  database.close();
  const facts = { durable: 'd', event: '1', error: { message: 'a bug', stack: expect.any(String) } };
  expect(lines).toMatchObject([
    { level: 'warn', attempt: 1, retryInMs: 1, ...facts },
    { level: 'error', attempt: 2, ...facts },
  ]);
});

const canMount = process.getuid?.() === 0 && process.platform === 'linux';
(canMount ? test : test.skip)(
  'a full disk is RESOURCE_EXHAUSTED; what was stored stays, and goes on when there is space',
  async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]);
    try {
      const database = openDatabase(join(folder, 'state.db'));
      const state = createKeyValue(database);
      const fill = async () => {
        for (let i = 0; ; i++) await state.put(`k.${i}`, 'x'.repeat(50_000));
      };
      await expect(fill()).rejects.toMatchObject({
        code: 'RESOURCE_EXHAUSTED',
        message: expect.stringContaining('no space left'),
      });
      const stored = await state.list('k');
      expect(stored.length).toBeGreaterThan(3);
      execFileSync('mount', ['-o', 'remount,size=8m', folder]);
      await state.put('k.more', 'x'.repeat(50_000));
      expect(await state.list('k')).toHaveLength(stored.length + 1);
      database.close();
    } finally {
      execFileSync('umount', [folder]);
    }
  },
);
