// A training run through the services: from a request to a registered model.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { readEvent, type StrataEvent, subjects } from '#lib/contracts/events.ts';
import {
  type MetricPoint,
  Phase,
  type Run,
  type WatchRunResponse,
} from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { readerOfBytes } from '#lib/model/formats/byte-source.ts';
import { readHfDirectory } from '#lib/model/formats/hf-directory.ts';
import { startTrainingServices, type TrainingServices } from '../support/services.ts';
import { create, finish, prepareTiny, resultOf, type TinyData, tinyRequest, until } from '../support/tiny-run.ts';

jest.setTimeout(120_000);

let home: string;
let services: TrainingServices;
let data: TinyData;
let reference: Run;
const events: StrataEvent[] = [];

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-training-'));
  services = await startTrainingServices(home);
  await services.platform.events.subscribe({
    durable: 'test',
    subjects: ['strata.run.>', 'strata.checkpoint.>'],
    handler: async (event) => void events.push(event),
  });
  data = await prepareTiny(services);
  reference = await create(services, tinyRequest('reference', data));
});
afterAll(async () => {
  await services.stop();
  await rm(home, { recursive: true });
});

const collect = async (responses: AsyncIterable<WatchRunResponse>) => {
  const points: MetricPoint[] = [];
  const phases: Phase[] = [];
  for await (const { event } of responses) {
    if (event?.$case === 'metrics') points.push(event.value);
    if (event?.$case === 'run') phases.push(event.value.phase);
  }
  return { points, phases };
};

test('watchers see every step once, the evaluations where they are due, and the end; what they hold is given back when they leave', async () => {
  const watch = (afterStep: number, signal?: AbortSignal) =>
    collect(services.trainer.watchRun({ runId: reference.id, afterStep }, signal ? { signal } : {}));
  const leaving = new AbortController();
  const left = watch(0, leaving.signal);
  const [all, some] = [watch(0), watch(250)];
  await until(services, reference.id, ({ lastMetrics }) => lastMetrics !== undefined);
  leaving.abort();
  await expect(left).rejects.toMatchObject({ name: 'AbortError' });

  const { points, phases } = await all;
  expect(points.map(({ step }) => step)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
  expect(points.filter(({ validationLoss }) => validationLoss !== undefined).map(({ step }) => step)).toEqual([
    70, 140, 210, 280, 300,
  ]);
  expect(points.at(-1)?.validationLoss).toBeLessThan((points[69]?.validationLoss ?? 0) - 0.1);
  expect(points.at(-1)).toMatchObject({ tokensSeen: 300 * 2 * 4 * 16, remainingSeconds: 0 });
  expect(phases.at(-1)).toBe(Phase.PHASE_SUCCEEDED);
  expect((await some).points.map(({ step }) => step)).toEqual(Array.from({ length: 50 }, (_, i) => i + 251));
});

test('the result is a Hugging Face directory with its tokenizer, registered with its lineage', async () => {
  const run = await finish(services, reference.id);
  expect(run).toMatchObject({
    phase: Phase.PHASE_SUCCEEDED,
    checkpointStep: 300,
    attempts: 1,
    restarts: [],
    error: '',
  });
  const { version } = await services.weightLoader.getModel({ model: run.model });
  expect(version).toMatchObject({
    modelType: 'gpt2',
    contextLength: 16,
    parameters: run.parameters,
    lineage: { runId: run.id, datasets: [data.dataset.ref], seed: 11, base: undefined },
    tokenizerSha256: data.dataset.tokenizerSha256,
    chat: true,
  });
  const prefix = version?.prefix.replace(/\/$/, '');
  const { config, weights } = await readHfDirectory(async (file) =>
    (await services.platform.objects.head(`${prefix}/${file}`))
      ? readerOfBytes(await services.platform.objects.get(`${prefix}/${file}`))
      : undefined,
  );
  expect(config).toMatchObject({ model_type: 'gpt2', n_layer: 2, vocab_size: data.dataset.vocabSize });
  expect(weights.get('wte.weight')?.shape).toEqual([data.dataset.vocabSize, 16]);
  expect(
    JSON.parse(Buffer.from(await services.platform.objects.get(`${prefix}/generation_config.json`)).toString()),
  ).toHaveProperty('eos_token_id');
});

test('the others are told: started, checkpoints, finished with the model and the labels', async () => {
  const { model } = await finish(services, reference.id);
  const find = (type: string) =>
    events.filter((event) => event.type === `strata.${type}` && event.subject === reference.id);
  while (find('run.finished').length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(find('run.started').map((event) => readEvent(subjects.runStarted, event)?.attempt)).toEqual([1]);
  expect(find('checkpoint.saved').map((event) => readEvent(subjects.checkpointSaved, event)?.step)).toEqual([
    50, 100, 150, 200, 250, 300,
  ]);
  expect(find('run.finished').map((event) => event.data)).toEqual([
    { runId: reference.id, model, labels: { story: 'reference' } },
  ]);
});

test('the same request_id is the same run, and refuses to become another', async () => {
  expect((await create(services, tinyRequest('reference', data))).id).toBe(reference.id);
  await expect(create(services, tinyRequest('reference', data, { maxSteps: 5 }))).rejects.toMatchObject({
    code: 'ALREADY_EXISTS',
  });
  const { runs } = await services.trainer.listRuns({ labels: { story: 'reference' } });
  expect(runs.map(({ id }) => id)).toEqual([reference.id]);
});

test('a run that is cancelled and resumed ends with the same bits and the same curve', async () => {
  await finish(services, reference.id);
  const { id } = await create(services, tinyRequest('cancelled', data));
  await until(services, id, ({ checkpointStep }) => checkpointStep >= 50);
  const { run: cancelled } = await services.trainer.cancelRun({ runId: id });
  expect(cancelled?.phase).toBe(Phase.PHASE_CANCELLED);
  expect(cancelled?.checkpointStep).toBeGreaterThanOrEqual(50);
  expect(cancelled?.lastMetrics?.step).toBe(cancelled?.checkpointStep);
  await services.trainer.resumeRun({ runId: id });
  const resumed = await finish(services, id);
  expect(resumed).toMatchObject({ phase: Phase.PHASE_SUCCEEDED, attempts: 2 });
  expect(await resultOf(services, id)).toEqual(await resultOf(services, reference.id));
  await expect(services.trainer.resumeRun({ runId: id })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  await expect(services.trainer.cancelRun({ runId: id })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
});

test.each([
  ['an unknown run', (trainer: TrainingServices['trainer']) => trainer.getRun({ runId: 'nope' }), 'NOT_FOUND'],
  ['no run at all', (trainer: TrainingServices['trainer']) => trainer.cancelRun({ runId: '' }), 'NOT_FOUND'],
  ['an empty request', (trainer: TrainingServices['trainer']) => trainer.createRun({}), 'INVALID_ARGUMENT'],
])('%s is refused', async (_, call, code) => {
  await expect(call(services.trainer)).rejects.toMatchObject({ code });
});

const refused = async (change: (request: ReturnType<typeof tinyRequest>) => object): Promise<unknown> => {
  try {
    await services.trainer.createRun({ ...change(tinyRequest('refused', data)), requestId: '' });
    return 'accepted';
  } catch (error) {
    const { code, violations } = error as { code: string; violations: { field: string }[] };
    return [code, ...violations.map(({ field }) => field)];
  }
};

test('what does not fit is refused by its field', async () => {
  const spec = (more: object) => (request: ReturnType<typeof tinyRequest>) => ({
    ...request,
    spec: { ...request.spec, ...more },
  });
  const mixture = [{ dataset: { name: 'no-such-dataset' } }];
  expect(await refused(spec({ mixture }))).toEqual(['NOT_FOUND', 'spec.mixture[0].dataset']);
  const start = { $case: 'base', value: { name: 'no-such-model' } };
  expect(await refused(spec({ start }))).toEqual(['NOT_FOUND', 'spec.base']);
  expect(
    await refused((request) =>
      spec({ hyperparameters: { ...request.spec?.hyperparameters, blockSize: 17, beta1: 2 } })(request),
    ),
  ).toEqual(['INVALID_ARGUMENT', 'spec.hyperparameters.beta1', 'spec.hyperparameters.block_size']);
});
