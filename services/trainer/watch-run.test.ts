// Runs and metrics in the real embedded store.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { readConfig } from '#lib/platform/config.ts';
import { openPlatform, type Platform } from '#lib/platform/platform.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import { createMetricLog, type MetricLog } from './metric-log.ts';
import { pointAt, runIn } from './run.fixture.ts';
import { moveRun } from './run.ts';
import { createRunStore, type RunStore } from './run-store.ts';
import { type RunEvent, watchRun } from './watch-run.ts';

let home: string;
let platform: Platform;
let runs: RunStore;
let metrics: MetricLog;
let runId = '';
let count = 0;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-trainer-'));
  platform = await openPlatform(readConfig(platformSettings, { STRATA_HOME: home }));
  runs = createRunStore(platform.state);
  metrics = createMetricLog(platform.state);
});
beforeEach(async () => {
  count += 1;
  runId = `run${count}`;
  await runs.create(runIn({ phase: 'running', job: 'job' }, { id: runId }));
});
afterAll(async () => {
  await platform.close();
  await rm(home, { recursive: true });
});

const shown = (event: RunEvent) => (event.kind === 'metrics' ? event.point.step : event.run.state.phase);
const watch = (afterStep = 0, signal = new AbortController().signal) =>
  watchRun({ runId, afterStep, runs, metrics, signal });
const all = async (events: AsyncIterable<RunEvent>): Promise<unknown[]> => {
  const list: unknown[] = [];
  for await (const event of events) list.push(shown(event));
  return list;
};
const collect = (afterStep = 0) => all(watch(afterStep));
const finish = () =>
  runs.update(runId, (run) => moveRun(run, { phase: 'succeeded', model: { name: 'tiny', version: 'v1' } }, new Date()));

test('several watchers get the kept metrics, the live ones, and the ended run last', async () => {
  await metrics.write(runId, [pointAt(1), pointAt(2)]);
  const watchers = [collect(), collect(1), collect(2)];
  await metrics.write(runId, [pointAt(3)]);
  await metrics.write(runId, [pointAt(4)]);
  await finish();
  const [fromStart, afterOne, afterTwo] = (await Promise.all(watchers)).map((events) => events.filter(Number.isFinite));
  expect(fromStart).toEqual([1, 2, 3, 4]);
  expect(afterOne).toEqual([2, 3, 4]);
  expect(afterTwo).toEqual([3, 4]);
  expect((await collect()).at(-1)).toBe('succeeded');
});

test('steps that a restarted worker trains again are neither kept nor shown twice', async () => {
  await metrics.write(runId, [pointAt(1, 3), pointAt(2, 2)]);
  const events = watch()[Symbol.asyncIterator]();
  const steps: unknown[] = [];
  while (steps.length < 2) {
    const { value } = await events.next();
    if (value.kind === 'metrics') steps.push(value.point.step);
  }
  await metrics.write(runId, [pointAt(2, 2), pointAt(3, 1)]);
  await finish();
  for (let next = await events.next(); !next.done; next = await events.next()) steps.push(shown(next.value));
  expect(steps.filter(Number.isFinite)).toEqual([1, 2, 3]);
  expect((await metrics.list(runId)).map(({ step, loss }) => [step, loss])).toEqual([
    [1, 3],
    [2, 2],
    [3, 1],
  ]);
});

test('a watcher that goes away ends its watch', async () => {
  const leaving = new AbortController();
  const ended = all(watch(0, leaving.signal));
  leaving.abort();
  expect(await ended).not.toContain('succeeded');
});

test('an unknown run is NOT_FOUND, a forbidden move FAILED_PRECONDITION', async () => {
  await expect(runs.get('nope')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await finish();
  await expect(finish()).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
});
