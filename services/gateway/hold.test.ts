import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Activity, keys } from '#lib/contracts/keys.ts';
import { openDatabase } from '#lib/platform/embedded/database.ts';
import { createKeyValue } from '#lib/platform/embedded/key-value.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { KeyValue } from '#lib/platform/key-value.ts';
import { createLogger } from '#lib/platform/log.ts';
import { createMetricRegistry } from '#lib/platform/telemetry/metrics.ts';
import { createHold } from './hold.ts';

const log = createLogger({ service: 'gateway', level: 'silent' });
let folder: string;
let database: ReturnType<typeof openDatabase>;
let state: KeyValue;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strata-hold-'));
  database = openDatabase(join(folder, 'state.db'));
  state = createKeyValue(database);
});
afterAll(async () => {
  await state.close();
  database.close();
  await rm(folder, { recursive: true });
});

const registry = createMetricRegistry();
const metrics = registry.forService('gateway');
const holdFor = (holdMs: number) => createHold({ state, log, metrics, holdMs, pauseMs: 10 });
const unreachable = () => new AppError('UNAVAILABLE', 'nobody listens', { details: { unreachable: 'here:1' } });

/** A call that finds nobody there for so many times. */
function createCall(failures: number) {
  const calls: (number | undefined)[] = [];
  const call = async ({ deadlineMs }: { deadlineMs?: number }): Promise<string> => {
    calls.push(deadlineMs);
    if (calls.length <= failures) throw unreachable();
    return 'there';
  };
  return { call, calls };
}

test('a call is made until somebody is there, with what is left of its deadline; the wish is written', async () => {
  const since = Date.now();
  const { call, calls } = createCall(3);
  expect(await holdFor(10_000).unary(call, { deadlineMs: 5000 })).toBe('there');
  expect(calls).toHaveLength(4);
  expect(calls.every((left, i) => i === 0 || (left ?? 0) < (calls[i - 1] ?? 0))).toBe(true);
  const entry = await state.get<Activity>(keys.activity('inference'));
  expect(Date.parse(entry?.value.wantedAt ?? '')).toBeGreaterThanOrEqual(since);
});

test('a caller who leaves ends the waiting', async () => {
  const { call, calls } = createCall(Number.POSITIVE_INFINITY);
  const leaving = new AbortController();
  const held = holdFor(60_000).unary(call, { signal: leaving.signal });
  while (calls.length < 2) await delay(5);
  expect(await registry.render()).toContain('strata_gateway_requests_held{service="gateway"} 1\n');
  leaving.abort();
  await expect(held).rejects.toMatchObject({ name: 'AbortError' });
  expect(await registry.render()).toContain('strata_gateway_requests_held{service="gateway"} 0\n');
  const made = calls.length;
  await delay(50);
  expect(calls).toHaveLength(made);
});

test('the wait has a limit, and the caller’s deadline is one too', async () => {
  const { call } = createCall(Number.POSITIVE_INFINITY);
  await expect(holdFor(100).unary(call)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('did not start within'),
  });
  await expect(holdFor(60_000).unary(call, { deadlineMs: 100 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
});

test('what the service itself says is passed on, also that it is unavailable', async () => {
  const hold = holdFor(60_000);
  for (const error of [
    new AppError('UNAVAILABLE', 'the registry is away'),
    new AppError('NOT_FOUND', 'no such model'),
  ]) {
    await expect(hold.unary(() => Promise.reject(error))).rejects.toBe(error);
  }
});

test('a stream waits for its first message only: what has begun is not sent again', async () => {
  const { call, calls } = createCall(2);
  let isClosed = false;
  async function* once() {
    try {
      yield await call({});
      throw unreachable();
    } finally {
      isClosed = calls.length === 3;
    }
  }
  const received: string[] = [];
  const read = async () => {
    for await (const message of holdFor(60_000).stream(once)) received.push(message);
  };
  await expect(read()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'nobody listens' });
  expect([received, calls.length, isClosed]).toEqual([['there'], 3, true]);
});
