// Takes an evaluation's tasks one after the other and keeps each result as soon as it is there.
import { performance } from 'node:perf_hooks';
import type { Progress } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { DataSamplerServiceClient } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { type EvaluationTask, TaskResult } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import type { WeightLoaderServiceClient } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { createScorer } from '#lib/model/scorer.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { KeyValue } from '#lib/platform/key-value.ts';
import { openArtifact } from '#lib/platform/manifest.ts';
import { withModelFiles } from '#lib/platform/model-files.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import { changeEvaluation, getEvaluation, tasksOf } from '../evaluation.ts';
import { loadSubject } from '../subject.ts';
import { classification } from './classification.ts';
import { instructionFollowing } from './instruction-following.ts';
import { languageModelling } from './language-modelling.ts';
import { likelihoodTask } from './likelihood-task.ts';
import { samples } from './samples.ts';
import type { TaskContext, TaskOutcome } from './task.ts';

export interface RunTasksOptions {
  evaluationId: string;
  state: KeyValue;
  objects: ObjectStore;
  dataSampler: Pick<DataSamplerServiceClient, 'streamBatches' | 'getDataset'>;
  weightLoader: Pick<WeightLoaderServiceClient, 'getModel'>;
  signal: AbortSignal;
}

const reportEveryMs = 300;

export async function runTasks(options: RunTasksOptions): Promise<void> {
  const { evaluationId, state, objects, dataSampler, weightLoader, signal } = options;
  const record = await getEvaluation(state, evaluationId);
  const tasks = tasksOf(record);
  const { version } = await weightLoader.getModel({ model: record.model }, { signal });
  if (!version)
    throw new AppError('NOT_FOUND', `model ${record.model.name}@${record.model.version} does not exist any more`);
  const subject = await withModelFiles(await openArtifact(objects, version.prefix), loadSubject);
  using scorer = createScorer(subject);
  const trainedOn = version.lineage?.datasets ?? [];

  const keepProgress = async (progress: Progress): Promise<void> => {
    await changeEvaluation(state, evaluationId, (current) => ({ ...current, progress }));
  };
  for (const [index, task] of tasks.entries()) {
    if (index < record.results.length) continue; // kept by the worker before this one
    const started = performance.now();
    const report = throttled(
      (progress) => void keepProgress(progress).catch(() => undefined),
      `task ${index + 1} of ${tasks.length}`,
    );
    const outcome = await runTask(task, { subject, scorer, trainedOn, objects, dataSampler, signal, report });
    signal.throwIfAborted();
    const result = TaskResult.toJSON(
      TaskResult.fromPartial({ ...outcome, seconds: (performance.now() - started) / 1000 }),
    );
    await changeEvaluation(state, evaluationId, (current) => ({ ...current, results: [...current.results, result] }));
  }
  const endTime = new Date().toISOString();
  await changeEvaluation(state, evaluationId, (current) => ({ ...current, phase: 'succeeded', endTime }));
}

function runTask({ task }: EvaluationTask, context: TaskContext): Promise<TaskOutcome> {
  switch (task?.$case) {
    case 'languageModelling':
      return languageModelling(task.value, context);
    case 'classification':
      return classification(task.value, context);
    case 'likelihood':
      return likelihoodTask(task.value, context);
    case 'instructionFollowing':
      return instructionFollowing(task.value, context);
    case 'samples':
      return samples(task.value, context);
    case undefined:
      throw new AppError('INVALID_ARGUMENT', 'tasks: an empty task');
    default:
      return task satisfies never;
  }
}

function throttled(write: (progress: Progress) => void, phase: string): TaskContext['report'] {
  const started = performance.now();
  let last = Number.NEGATIVE_INFINITY;
  return (done, total, unit) => {
    const now = performance.now();
    if (now - last < reportEveryMs) return;
    last = now;
    const remainingSeconds = done > 0 && total > done ? ((now - started) / 1000 / done) * (total - done) : 0;
    write({ phase, done, total, unit, remainingSeconds });
  };
}
