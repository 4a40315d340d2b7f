import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Secret } from './config.ts';
import { createLogger, openLogFile } from './log.ts';

function collect(level = 'info') {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({
    service: 'trainer',
    level,
    destination: { write: (line) => void lines.push(JSON.parse(line)) },
  });
  return { log, lines };
}

test('a line is one JSON object with service, level and time; a child adds its own', () => {
  const { log, lines } = collect();
  log.child({ run: 'r1' }).info({ step: 3 }, 'checkpoint saved');
  expect(lines).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      service: 'trainer',
      run: 'r1',
      step: 3,
      msg: 'checkpoint saved',
    },
  ]);
});

test('errors keep their stack, secrets stay hidden, lower levels are left out', () => {
  const { log, lines } = collect('warn');
  log.info('not this');
  log.warn({ error: new Error('broke'), token: new Secret('hunter2') }, 'this');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    error: { message: 'broke', stack: expect.stringContaining('log.test.ts') },
    token: '***',
  });
});

test('a log file is continued; one that has grown large is set aside', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strata-log-'));
  const path = join(folder, 'services.log');
  await writeFile(path, 'before\n');
  createLogger({ service: 'a', destination: openLogFile(path) }).info('after');
  expect(await readFile(path, 'utf8')).toMatch(/^before\n\{.*after"\}\n$/);
  await truncate(path, 65 * 1024 * 1024);
  createLogger({ service: 'a', destination: openLogFile(path) }).info('fresh');
  expect(await readFile(path, 'utf8')).toMatch(/^\{.*fresh"\}\n$/);
  await rm(folder, { recursive: true });
});
