// What kills and damage do to a training run: nothing that its result would show.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { Phase, TrainerServiceDefinition } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { connect } from '#lib/platform/grpc-client.ts';
import { startTrainingServices, type TrainingServices } from '../support/services.ts';
import {
  create,
  finish,
  prepareTiny,
  resultOf,
  type TinyData,
  tinyRequest,
  until,
  workerPid,
} from '../support/tiny-run.ts';

jest.setTimeout(180_000);

let home: string;
let services: TrainingServices;
let data: TinyData;
let expected: Awaited<ReturnType<typeof resultOf>>;
const settings = {
  STRATA_TRAINER_RESTART_DELAY_MS: '50',
  STRATA_TRAINER_MAX_RESTARTS: '2',
  STRATA_TRAINER_PATIENCE_MS: '1000',
};

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-death-'));
  services = await startTrainingServices(home, settings);
  data = await prepareTiny(services);
  const { id } = await create(services, tinyRequest('reference', data));
  await finish(services, id);
  expected = await resultOf(services, id);
});
afterAll(async () => {
  await services.stop();
  await rm(home, { recursive: true });
});

test('a worker killed twice at whatever step is replaced; the result has the same bits, the reasons are kept', async () => {
  const { id } = await create(services, tinyRequest('killed', data));
  for (const [attempt, step] of [
    [1, 50],
    [2, 150],
  ] as const) {
    const run = await until(
      services,
      id,
      ({ attempts, checkpointStep }) => attempts === attempt && checkpointStep >= step,
    );
    process.kill(workerPid(home, run), 'SIGKILL');
  }
  const run = await finish(services, id);
  expect(run).toMatchObject({ phase: Phase.PHASE_SUCCEEDED, attempts: 3 });
  expect(run.restarts.map(({ attempt, reason }) => [attempt, reason])).toEqual([
    [1, expect.stringMatching(/killed/)],
    [2, expect.stringMatching(/killed/)],
  ]);
  expect(await resultOf(services, id)).toEqual(expected);
});

test('a run whose workers all die ends as failed, with the reason and what to do; resumed, it succeeds', async () => {
  const { id } = await create(services, tinyRequest('cursed', data, { checkpointEvery: 300 }));
  for (const attempt of [1, 2, 3]) {
    const run = await until(
      services,
      id,
      ({ attempts, phase }) => attempts === attempt && phase === Phase.PHASE_RUNNING,
    );
    while (!isStarted(run.id, attempt)) await new Promise((resolve) => setTimeout(resolve, 10));
    process.kill(workerPid(home, run), 'SIGKILL');
  }
  const failed = await finish(services, id);
  expect(failed.phase).toBe(Phase.PHASE_FAILED);
  expect(failed.error).toMatch(/killed.*; 3 workers in a row got no further than the start: .*strata run resume/);
  await services.trainer.resumeRun({ runId: id });
  expect((await finish(services, id)).phase).toBe(Phase.PHASE_SUCCEEDED);
  expect(await resultOf(services, id)).toEqual(expected);
});

const isStarted = (id: string, attempt: number): boolean =>
  existsSync(join(home, 'jobs', `run-${id}-${attempt}`, 'started.json'));

test('a truncated newest checkpoint is passed over for the one before; the result has the same bits', async () => {
  const { id } = await create(services, tinyRequest('damaged', data));
  await until(services, id, ({ checkpointStep }) => checkpointStep >= 100);
  const { run } = await services.trainer.cancelRun({ runId: id });
  const newest = join(home, 'objects/runs', id, 'checkpoints', String(run?.checkpointStep).padStart(9, '0'));
  await truncate(join(newest, 'optimizer.safetensors'), 100);
  await services.trainer.resumeRun({ runId: id });
  expect((await finish(services, id)).phase).toBe(Phase.PHASE_SUCCEEDED);
  const log = await readFile(join(home, 'jobs', `run-${id}-2`, 'log'), 'utf8');
  expect(log).toMatch(/optimizer.safetensors is damaged: 100 bytes.*checkpoint passed over/);
  expect(await resultOf(services, id)).toEqual(expected);
});

test('services that are stopped let the worker save its step; started again, they finish the run with the same bits', async () => {
  const { id } = await create(services, tinyRequest('interrupted', data));
  await until(services, id, ({ checkpointStep }) => checkpointStep >= 50);
  await services.stop();
  services = await startTrainingServices(home, settings);
  const run = await finish(services, id);
  expect(run).toMatchObject({ phase: Phase.PHASE_SUCCEEDED, attempts: 2 });
  expect(run.restarts.map(({ reason }) => reason)).toEqual(['interrupted']);
  expect(run.restarts[0]?.fromStep).toBeGreaterThanOrEqual(50);
  expect(await resultOf(services, id)).toEqual(expected);
});

test('the whole process killed: the next one on the same home finishes the run with the same bits', async () => {
  await services.stop();
  const { process: served, trainer, close } = await serveElsewhere(home);
  const { run } = await trainer.createRun(tinyRequest('orphaned', data));
  const id = run?.id ?? '';
  await until({ trainer }, id, ({ checkpointStep }) => checkpointStep >= 50);
  served.kill('SIGKILL');
  await Promise.all([once(served, 'exit'), close()]);

  services = await startTrainingServices(home, settings);
  expect((await finish(services, id)).phase).toBe(Phase.PHASE_SUCCEEDED);
  expect(await resultOf(services, id)).toEqual(expected);
});

/** The same services in another process. */
const serveElsewhere = async (onHome: string) => {
  const script = join(__dirname, '../support/serve-training.ts');
  const served = spawn('node', [script, onHome], {
    env: { ...process.env, ...settings },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [address] = (await once(served.stdout, 'data')) as [Buffer];
  const { client, close } = connect(TrainerServiceDefinition, address.toString().trim());
  return { process: served, trainer: client, close };
};
