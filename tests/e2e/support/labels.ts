// Labelled data that the stories make: two topics that a tiny model tells apart, and labels that say nothing.
import type { AddLabelsRequest } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { Objective } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import type { Services } from '../../../services/cli/connect.ts';
import { importModel } from '../../support/serving.ts';
import { tinyModel } from '../../support/tiny-models.ts';

export const baseModel = 'e2e-base';

/** The classifiers' base: fresh weights, a tokenizer that is really trained. */
export const ensureBase = (services: Pick<Services, 'weightLoader'>) =>
  importModel(services, baseModel, tinyModel('gpt2', { contextSize: 64 }).files, { requestId: baseModel });

interface Row {
  text: string;
  label: string;
}

const about = { boat: 'a boat waits where the river bends', rain: 'when the rain comes the people go home' };
type Topic = keyof typeof about;
const topics = Object.keys(about) as Topic[];

/** Rows whose label is their topic. `from` makes batches differ. */
export const goodRows = (count: number, from = 0): Row[] =>
  Array.from({ length: count }, (_, index) => {
    const label = topics[index % 2] as Topic;
    return { text: `${from + index} ${about[label]}`, label };
  });

/** Rows whose label has nothing to do with their text: half of each topic is called by the other's name. */
export const badRows = (count: number, from = 0): Row[] =>
  goodRows(count, from).map(({ text }, index) => ({ text, label: topics[(index >> 1) % 2] as Topic }));

export async function* labelsFile(task: string, rows: Row[]): AsyncGenerator<AddLabelsRequest> {
  const content = rows.map((row) => JSON.stringify(row)).join('\n');
  const file = { filename: 'labels.jsonl', sizeBytes: 0, sha256: '', owner: '' };
  yield { part: { $case: 'header', value: { task, file } } };
  yield { part: { $case: 'chunk', value: Buffer.from(content) } };
}

/** Declares the pipeline of a task: a batch is a file of 100 rows or more, and a candidate has to reach an accuracy of 0.9. */
export async function declarePipeline(services: Services, task: string, maxSteps = 60): Promise<void> {
  const base = (await ensureBase(services)).ref;
  await services.orchestrator.applyPipeline({
    pipeline: {
      task,
      ...(base && { base }),
      objective: Objective.OBJECTIVE_CLASSIFY,
      device: 'gpu',
      hyperparameters: {
        maxSteps,
        batchSize: 8,
        blockSize: 32,
        learningRate: 3e-3,
        checkpointEvery: Math.ceil(maxSteps / 10),
      },
      seed: 1,
      gate: { metric: 'accuracy', threshold: 0.9, beatBaseline: true, minImprovement: -1 },
      batching: { minExamples: 100, maxWaitSeconds: 600, debounceSeconds: 1 },
    },
  });
}
