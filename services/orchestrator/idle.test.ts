import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { keys } from '#lib/contracts/keys.ts';
import { openDatabase } from '#lib/platform/embedded/database.ts';
import { createKeyValue } from '#lib/platform/embedded/key-value.ts';
import { AppError } from '#lib/platform/errors.ts';
import { createLogger } from '#lib/platform/log.ts';
import type { Scaler } from '#lib/platform/scaler.ts';
import { decideIdle, type IdleDecision, keepScale } from './idle.ts';

const minute = 60_000;
const now = 100 * minute;
const decide = (facts: { replicas: number; wantedMinutesAgo: number; watchedMinutes?: number; idleMinutes?: number }) =>
  decideIdle({
    replicas: facts.replicas,
    wantedAt: now - facts.wantedMinutesAgo * minute,
    watchedSince: now - (facts.watchedMinutes ?? 60) * minute,
    now,
    idleMs: (facts.idleMinutes ?? 10) * minute,
  });

test.each<[string, Parameters<typeof decide>[0], IdleDecision]>([
  ['asleep and wanted', { replicas: 0, wantedMinutesAgo: 0.1 }, 'wake'],
  ['asleep, and who wanted it has left', { replicas: 0, wantedMinutesAgo: 5 }, 'stay'],
  ['awake and wanted a moment ago', { replicas: 1, wantedMinutesAgo: 1 }, 'stay'],
  ['awake for nobody', { replicas: 1, wantedMinutesAgo: 10 }, 'sleep'],
  ['several: an autoscaler has them', { replicas: 3, wantedMinutesAgo: 60 }, 'stay'],
  ['not watched for long enough to know', { replicas: 1, wantedMinutesAgo: 60, watchedMinutes: 9 }, 'stay'],
  ['just fallen asleep, soon as it does', { replicas: 0, wantedMinutesAgo: 0.2, idleMinutes: 0.2 }, 'stay'],
  ['never to sleep', { replicas: 1, wantedMinutesAgo: 60, idleMinutes: 0 }, 'stay'],
  ['never to sleep, but to be woken', { replicas: 0, wantedMinutesAgo: 0, idleMinutes: 0 }, 'wake'],
])('%s: %j -> %s', (_, facts, decision) => {
  expect(decide(facts)).toBe(decision);
});

/** A Deployment in memory, whose API server is away for the first calls. */
function createDeployment(replicas: number, failures: number) {
  const changes: number[] = [];
  const scaler: Scaler = {
    async get() {
      if (failures-- > 0) throw new AppError('UNAVAILABLE', 'the API server is away');
      return { replicas, ready: replicas };
    },
    async scale(wanted) {
      changes.push(wanted);
      replicas = wanted;
    },
  };
  return { scaler, changes };
}

test('inference falls asleep, wakes when the key is written, and falls asleep again, though the API server is away at first', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strata-idle-'));
  const database = openDatabase(join(folder, 'state.db'));
  const state = createKeyValue(database);
  const { scaler, changes } = createDeployment(1, 2);
  const stopping = new AbortController();
  let time = now;
  const kept = keepScale({
    scaler,
    state,
    idleMs: minute,
    now: () => time,
    log: createLogger({ service: 'orchestrator', level: 'silent' }),
    signal: stopping.signal,
    everyMs: 10,
  });
  const until = async (count: number): Promise<void> => {
    while (changes.length < count) await delay(5);
  };
  time += minute;
  await until(1);
  await state.put(keys.activity('inference'), { wantedAt: new Date(time).toISOString() });
  await until(2);
  time += minute;
  await until(3);
  expect(changes).toEqual([0, 1, 0]);
  stopping.abort();
  await kept;
  await state.close();
  database.close();
  await rm(folder, { recursive: true });
});
