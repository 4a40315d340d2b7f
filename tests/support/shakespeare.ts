// nanoGPT's CPU configuration on tiny Shakespeare, through the services: characters, the last tenth for validation, 2000 steps.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { type MetricPoint, Objective, Phase } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { makeCharTokenizer, makeDataset, upload } from './prepare.ts';
import type { TrainingServices } from './services.ts';

/** What PyTorch reaches with the same recipe over the whole validation part: the mean of three seeds, nats a character. */
export const publishedLoss = 1.9;
/** What counting characters reaches on the same validation part. */
export const baselines = { bigram: 2.482, trigram: 2.068 };

const architecture = {
  modelType: 'gpt2',
  nLayer: 4,
  nHead: 4,
  nKvHead: 0,
  nEmbd: 128,
  blockSize: 64,
  dropout: 0,
  noBias: true,
};

const hyperparameters = {
  maxSteps: 2000,
  batchSize: 12,
  accumulationSteps: 1,
  blockSize: 64,
  learningRate: 1e-3,
  minLearningRate: 1e-4,
  warmupSteps: 100,
  beta1: 0.9,
  beta2: 0.99,
  weightDecay: 0.1,
  gradClip: 1,
  evalEvery: 100,
  evalBatches: 0,
  checkpointEvery: 500,
};

export interface ShakespeareData {
  dataset: ArtifactRef;
  vocabSize: number;
  trainTokens: number;
  validationTokens: number;
}

/** Uploads the text, collects its characters, and makes the dataset. */
export async function prepareShakespeare(services: TrainingServices, dataDir: string): Promise<ShakespeareData> {
  const text = await readFile(join(dataDir, 'tinyshakespeare/input.txt'), 'utf8');
  const source = await upload(services, 'input.txt', text);
  const tokenizer = await makeCharTokenizer(services, { name: 'shakespeare-characters', sources: [source] });
  const { ref, vocabSize, splits } = await makeDataset(services, {
    name: 'shakespeare',
    sources: [{ object: source, format: 'text', split: Split.SPLIT_UNSPECIFIED }],
    tokenizer,
    validationShare: 0.1,
    testShare: 0,
    contiguousSplit: true,
  });
  const tokensOf = (split: Split) => splits.find((part) => part.split === split)?.tokens ?? 0;
  return {
    dataset: ref as ArtifactRef,
    vocabSize,
    trainTokens: tokensOf(Split.SPLIT_TRAIN),
    validationTokens: tokensOf(Split.SPLIT_VALIDATION),
  };
}

export interface TrainOptions {
  seed: number;
  dataset: ArtifactRef;
  onPoint?: (point: MetricPoint) => void;
}

/** One run to its end: every metric of it. Throws where it does not succeed. */
export async function trainShakespeare(
  { trainer }: TrainingServices,
  { seed, dataset, onPoint = () => undefined }: TrainOptions,
): Promise<MetricPoint[]> {
  const { run } = await trainer.createRun({
    requestId: `shakespeare-${seed}`,
    name: `shakespeare-${seed}`,
    spec: {
      objective: Objective.OBJECTIVE_PRETRAIN,
      start: { $case: 'architecture', value: architecture },
      mixture: [{ dataset, weight: 1 }],
      hyperparameters,
      seed,
    },
  });
  const points: MetricPoint[] = [];
  for await (const { event } of trainer.watchRun({ runId: run?.id ?? '', afterStep: 0 })) {
    if (event?.$case === 'metrics') {
      points.push(event.value);
      onPoint(event.value);
    }
    if (event?.$case === 'run' && event.value.phase === Phase.PHASE_FAILED) throw new Error(event.value.error);
  }
  return points;
}

/** The first evaluated step whose validation loss is below `limit`; undefined: none. */
export const passedAt = (points: readonly MetricPoint[], limit: number): number | undefined =>
  points.find(({ validationLoss = Number.POSITIVE_INFINITY }) => validationLoss < limit)?.step;

export const finalLoss = (points: readonly MetricPoint[]): number => points.at(-1)?.validationLoss ?? Number.NaN;
