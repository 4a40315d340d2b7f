// Runs of a model so small that hundreds of steps take a second, for tests of everything around the numbers.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { Dataset } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import {
  type CreateRunRequest,
  type DeepPartial,
  type Hyperparameters,
  type MetricPoint,
  Objective,
  type Run,
} from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { keys, objectKeys } from '#lib/contracts/keys.ts';
import { readManifest } from '#lib/platform/manifest.ts';
import { makeCharTokenizer, makeDataset, upload } from './prepare.ts';
import type { TrainingServices } from './services.ts';

export const chatTokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];

export interface TinyData {
  tokenizer: ArtifactRef;
  dataset: Dataset;
}

/** Sums as text: `3+14=17`. */
export async function prepareTiny(services: TrainingServices): Promise<TinyData> {
  const lines = Array.from(
    { length: 2000 },
    (_, i) => `${(i * 7) % 50}+${(i * 13) % 50}=${((i * 7) % 50) + ((i * 13) % 50)}`,
  );
  const alphabet = await upload(services, 'alphabet.txt', 'abcdefghijklmnopqrstuvwxyz 0123456789+=\n');
  const source = await upload(services, 'sums.txt', lines.join('\n'));
  const tokenizer = await makeCharTokenizer(services, {
    name: 'tiny-characters',
    sources: [alphabet, source],
    specialTokens: chatTokens,
  });
  const sources = [{ object: source, format: 'text', split: 0 as const }];
  return {
    tokenizer,
    dataset: await makeDataset(services, { name: 'sums', sources, tokenizer, contiguousSplit: true }),
  };
}

export const tinyArchitecture = {
  modelType: 'gpt2',
  nLayer: 2,
  nHead: 2,
  nKvHead: 0,
  nEmbd: 16,
  blockSize: 16,
  dropout: 0.1,
  noBias: false,
};

/** A request that is complete; `hyperparameters` are laid over its own. */
export const tinyRequest = (
  name: string,
  { dataset }: TinyData,
  hyperparameters: Partial<Hyperparameters> = {},
): DeepPartial<CreateRunRequest> & { name: string } => ({
  requestId: name,
  name,
  labels: { story: name },
  spec: {
    objective: Objective.OBJECTIVE_PRETRAIN,
    start: { $case: 'architecture', value: tinyArchitecture },
    mixture: [{ dataset: { name: dataset.ref?.name ?? '', version: '' }, weight: 1 }],
    hyperparameters: {
      maxSteps: 300,
      batchSize: 4,
      accumulationSteps: 2,
      learningRate: 3e-3,
      warmupSteps: 10,
      weightDecay: 0.1,
      gradClip: 1,
      evalEvery: 70,
      evalBatches: 5,
      checkpointEvery: 50,
      ...hyperparameters,
    },
    seed: 11,
  },
});

export async function create({ trainer }: TrainingServices, request: DeepPartial<CreateRunRequest>): Promise<Run> {
  const { run } = await trainer.createRun(request);
  if (!run) throw new Error('no run');
  return run;
}

/** Polls until the run is as wanted. */
export async function until(
  { trainer }: Pick<TrainingServices, 'trainer'>,
  runId: string,
  wanted: (run: Run) => boolean,
): Promise<Run> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(20)) {
    const { run } = await trainer.getRun({ runId });
    if (run && wanted(run)) return run;
  }
  const { run } = await trainer.getRun({ runId });
  throw new Error(`after a minute the run is still ${JSON.stringify(run)}`);
}

/** Watches to the end: the ended run. */
export async function finish({ trainer }: TrainingServices, runId: string): Promise<Run> {
  let last: Run | undefined;
  for await (const { event } of trainer.watchRun({ runId })) if (event?.$case === 'run') last = event.value;
  if (!last) throw new Error(`run ${runId} ended without saying so`);
  return last;
}

/** Everything about a finished run that another one of the same specification must equal. */
export async function resultOf({ platform }: TrainingServices, runId: string) {
  const { manifest } = await readManifest(platform.objects, objectKeys.runModel(runId));
  const kept = await platform.state.list<MetricPoint>(keys.metrics(runId));
  return {
    weights: manifest.parts.find(({ path }) => path === 'model.safetensors')?.sha256,
    curve: kept.map(({ value }) => [value.step, value.loss, value.validationLoss, value.gradNorm, value.tokensSeen]),
  };
}

/** The process of a run's newest worker. */
export const workerPid = (home: string, { id, attempts }: Run): number =>
  JSON.parse(readFileSync(join(home, 'jobs', `run-${id}-${attempts}`, 'started.json'), 'utf8')).pid;
