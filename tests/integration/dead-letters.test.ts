// `strata events dead-letters`, over the services of one process.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { DeadLetter } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { readConfig } from '#lib/platform/config.ts';
import { openPlatform, type Platform } from '#lib/platform/platform.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import type { Services } from '../../services/cli/connect.ts';
import { startEverything } from '../support/everything.ts';

const home = mkdtempSync(join(tmpdir(), 'strata-dead-letters-'));
let services: Services;
let platform: Platform;
beforeAll(async () => {
  services = await startEverything(home);
  platform = await openPlatform(readConfig(platformSettings, { STRATA_HOME: home }));
});
afterAll(async () => {
  await platform.close();
  await services.close();
  rmSync(home, { recursive: true, force: true });
});

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command in a process of its own, which finds the services of this one by their home. */
const strata = (...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const { PATH = '', HOME = '' } = process.env;
    const options = { cwd: join(__dirname, '../..'), env: { PATH, HOME, STRATA_HOME: home } };
    const command = ['services/cli/main.ts', 'events', 'dead-letters', ...args];
    execFile(process.execPath, command, options, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
  });

const list = async (...args: string[]): Promise<DeadLetter[]> =>
  JSON.parse((await strata('list', '--json', ...args)).stdout);

async function listUntil(count: number): Promise<DeadLetter[]> {
  for (const end = Date.now() + 10_000; ; await delay(50)) {
    const letters = (await services.orchestrator.listDeadLetters({})).deadLetters;
    if (letters.length === count || Date.now() > end) return letters;
  }
}

/** The orchestrator cannot make anything of it. */
const nonsense = (id: string) =>
  platform.events.publish({
    specversion: '1.0',
    id,
    source: 'strata/test',
    type: 'strata.labels.added',
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    data: { task: 7 },
  });

test('dead letters are listed with their reasons, replayed one by one or all, and die again while the cause is there', async () => {
  expect((await strata('list')).stdout).toBe('no dead letters: every event was handled\n');

  await nonsense('first');
  await nonsense('second');
  const letters = await listUntil(2);
  expect(letters.map(({ eventId }) => eventId)).toEqual(['second', 'first']);
  const [second, first] = letters;
  expect(first).toMatchObject({
    eventType: 'strata.labels.added',
    attempts: 1,
    durable: expect.stringMatching(/orch/),
  });
  expect(JSON.parse(first?.event ?? '')).toMatchObject({ id: 'first', data: { task: 7 } });

  const [header, row] = (await strata('list', '--limit', '1')).stdout.split('\n');
  expect(header).toMatch(/^ID +TIME +CONSUMER +EVENT +EVENT ID +ATTEMPTS +REASON$/);
  expect(row).toMatch(new RegExp(`^${second?.id} .*strata\\.labels\\.added +second +1 +INVALID_ARGUMENT`));
  expect(await list('--consumer', 'nobody')).toEqual([]);

  expect((await strata('replay', first?.id ?? '')).stdout).toBe('1 dead letter replayed\n');
  const [again] = await listUntil(2);
  expect(again).toMatchObject({ eventId: 'first', attempts: 1 });
  expect(again?.id).not.toBe(first?.id);

  const replayed = JSON.parse((await strata('replay', '--all', '--json')).stdout);
  expect(replayed).toEqual({ replayed: [second?.id, again?.id] });
});

test('what cannot be replayed is said', async () => {
  const [unknown, none, both, tooMany] = await Promise.all([
    strata('replay', '987654'),
    strata('replay'),
    strata('replay', '1', '--all'),
    strata('list', '--limit', '1001'),
  ]);
  expect(unknown).toMatchObject({ code: 3, stderr: expect.stringContaining('"987654"') });
  expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('--all') });
  expect(both).toMatchObject({ code: 2 });
  expect(tooMany).toMatchObject({ code: 2, stderr: expect.stringContaining('1000') });
  await expect(services.orchestrator.listDeadLetters({ limit: 1001 })).rejects.toThrow('must be at most 1000');
});
