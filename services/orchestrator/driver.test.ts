// The driver over a real state store; the services that it calls answer at once, or not at all.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Objective } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { type Database, openDatabase } from '#lib/platform/embedded/database.ts';
import { createKeyValue } from '#lib/platform/embedded/key-value.ts';
import type { KeyValue } from '#lib/platform/key-value.ts';
import { createLogger } from '#lib/platform/log.ts';
import { noTelemetry } from '#lib/platform/telemetry.ts';
import { createDriver, type Driver } from './driver.ts';
import { createOrchestratorMetrics } from './metrics.ts';
import { checkPipeline, savePipeline } from './pipeline.ts';
import { listRecords } from './pipeline-run.ts';

let folder: string;
let database: Database;
let state: KeyValue;
let stopping: AbortController;
let following: Promise<void>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strata-driver-'));
  database = openDatabase(join(folder, 'state.db'));
  state = createKeyValue(database);
  stopping = new AbortController();
});
afterEach(async () => {
  stopping.abort();
  await following;
  await state.close();
  database.close();
  await rm(folder, { recursive: true });
});

type DataSampler = Parameters<typeof createDriver>[0]['dataSampler'];

/** Its trainer never finishes; the sources of each dataset are noted. */
function start(createDataset?: DataSampler['createDataset']): { driver: Driver; asked: string[][] } {
  const asked: string[][] = [];
  const { tracing, metrics } = noTelemetry();
  const driver = createDriver({
    state,
    tracing,
    now: Date.now,
    log: createLogger({ service: 'orchestrator', level: 'silent' }),
    signal: stopping.signal,
    metrics: createOrchestratorMetrics(metrics, { state, now: Date.now }),
    dataSampler: {
      createDataset:
        createDataset ??
        async function* ({ sources = [] }) {
          asked.push(sources.map(({ object }) => object?.key ?? ''));
          yield { event: { $case: 'dataset', value: { ref: { name: 'd', version: `v${asked.length}` } } } } as never;
        },
    },
    trainer: {
      createRun: async ({ requestId }) => ({ run: { id: `run-of-${requestId}` } }) as never,
      getRun: async () => ({ run: { phase: 2 } }) as never,
    },
    evaluator: {} as never,
    weightLoader: {} as never,
  });
  following = driver.follow();
  return { driver, asked };
}

const file = (name: string) => ({ key: `inbox/boats/${name}`, sizeBytes: 1, sha256: name, examples: 10 });

const declare = (batching: { minExamples: number; debounceSeconds?: number }) =>
  savePipeline(
    state,
    checkPipeline({
      task: 'boats',
      base: { name: 'base', version: 'v1' },
      objective: Objective.OBJECTIVE_CLASSIFY,
      batching: { maxWaitSeconds: 600, debounceSeconds: 0, ...batching },
    } as never),
  );

const records = async () => (await listRecords(state)).sort((a, b) => a.createTime.localeCompare(b.createTime));

async function untilTraining(count: number): Promise<void> {
  while ((await records()).filter(({ runId }) => runId).length < count) await delay(5);
}

test('labels that make a batch due are taken, and their run started, without waiting for a tick', async () => {
  await declare({ minExamples: 20 });
  const { driver, asked } = start();
  await driver.addLabels('boats', file('a'));
  expect(await records()).toEqual([]);
  await driver.addLabels('boats', file('b'));
  await untilTraining(1);
  await driver.addLabels('boats', file('c'));
  await driver.addLabels('boats', file('d'));
  await untilTraining(2);
  // A later run learns from the earlier labels too.
  expect(asked.map((keys) => keys.map((key) => key.at(-1)))).toEqual([
    ['a', 'b'],
    ['a', 'b', 'c', 'd'],
  ]);
  expect((await records()).map(({ batch }) => batch.length)).toEqual([2, 2]);
});

test('what has to wait for quiet is taken by a tick', async () => {
  await declare({ minExamples: 10, debounceSeconds: 1 });
  const { driver } = start();
  await driver.addLabels('boats', file('a'));
  expect(await records()).toEqual([]);
  await delay(1010);
  await driver.tick();
  await untilTraining(1);
});

test('a slow stage holds up neither ticks nor other tasks, and stopping in it leaves the run to the next start', async () => {
  await declare({ minExamples: 10 });
  let begun = 0;
  const { driver } = start(async function* (_, { signal } = {}) {
    begun += 1;
    await delay(60_000, undefined, signal && { signal });
    yield {} as never;
  });
  await driver.addLabels('boats', file('a'));
  while (!begun) await delay(5);
  await driver.tick();
  await driver.tick();
  expect(begun).toBe(1);
  stopping.abort();
  await following;
  await driver.settled();
  expect(await records()).toMatchObject([{ phase: 'preparing', reason: '' }]);
  stopping = new AbortController();
  start();
  await untilTraining(1);
});

test('a run that was promised to its labels, but not written, is made up for', async () => {
  await declare({ minExamples: 10 });
  const { driver } = start();
  await driver.addLabels('boats', file('a'));
  await untilTraining(1);
  const [record] = await records();
  stopping.abort();
  await following;
  await state.delete(`pipeline-runs.${record?.id}`);
  expect(await records()).toEqual([]);
  stopping = new AbortController();
  await start().driver.tick();
  await untilTraining(1);
  expect((await records())[0]?.id).toBe(record?.id);
});
