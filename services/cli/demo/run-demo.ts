// One recipe through the whole life of a model. Every request carries an id made of all that goes in, so that a second run repeats nothing.

import { formatRef } from '#lib/contracts/format-ref.ts';
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { DatasetKind, Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import type { Evaluation } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import {
  type Pipeline,
  PipelinePhase,
  type PipelineRun,
} from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { TokenizerKind } from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
import { type DeepPartial, Objective, type RunSpec } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { Context } from '../context.ts';
import { formatCount } from '../output.ts';
import { scoresOf } from '../report/collect.ts';
import { formatScore, type ReportStage } from '../report/report.ts';
import { addLabels } from '../work/add-labels.ts';
import { createDataset } from '../work/create-dataset.ts';
import { trainTokenizer } from '../work/train-tokenizer.ts';
import { evaluate } from '../work/watch-evaluation.ts';
import { findPipelineRun, watchPipelineRun } from '../work/watch-pipeline-run.ts';
import { type WatchedRun, watchRun } from '../work/watch-run.ts';
import { type Answers, askAll } from './ask.ts';
import { demoSeed, type Recipe } from './recipe.ts';

export interface DemoOptions {
  recipe: Recipe;
  /** Hash of the recipe's files and of the code: another one repeats the work. */
  inputsHash: string;
}

export interface DemoResult {
  stages: ReportStage[];
  datasets: { title: string; ref: ArtifactRef; sha256: string }[];
  tokenizerSha256: string;
  pretraining: WatchedRun;
  classifier: WatchedRun;
  assistant: WatchedRun;
  pipelineRun: PipelineRun;
  evaluations: { base: Evaluation; classifier: Evaluation; assistant: Evaluation };
  answers: Answers;
}

/** @throws {AppError} with the failing stage's own reason */
export async function runDemo(context: Context, { recipe, inputsHash }: DemoOptions): Promise<DemoResult> {
  const { name, text, classifier, assistant } = recipe;
  const requestId = (what: string) => `demo-${name}-${what}-${inputsHash.slice(0, 24)}`;
  const stages: ReportStage[] = [];
  const stage = async <T>(title: string, detail: (result: T) => string, work: () => Promise<T>): Promise<T> => {
    const started = performance.now();
    const result = await work();
    stages.push({ title, detail: detail(result), seconds: (performance.now() - started) / 1000 });
    return result;
  };

  const tokenizer = await stage(
    'train a tokenizer',
    (made) => `${formatRef(made.ref)}, ${formatCount(made.vocabSize)} ids`,
    () =>
      trainTokenizer(context, {
        name,
        files: recipe.tokenizerFiles,
        kind: TokenizerKind.TOKENIZER_KIND_BYTE_BPE,
        vocabSize: recipe.vocabSize,
        requestId: requestId('tokenizer'),
      }),
  );
  const dataset = (what: string, kind: DatasetKind, settings: Recipe['text'], maxRowTokens = 0) =>
    stage(`dataset: ${what}`, describeDataset, () =>
      createDataset(context, {
        ...settings,
        name: `${name}-${what}`,
        kind,
        tokenizer: required(tokenizer.ref),
        maxRowTokens,
        requestId: requestId(what),
      }),
    );
  const textData = await dataset('text', DatasetKind.DATASET_KIND_TEXT, text);

  const run = (what: string, spec: DeepPartial<RunSpec>) =>
    stage(`run: ${what}`, describeRun, async () => {
      const request = { requestId: requestId(what), name: `${name}-${what}`, spec: { ...spec, seed: demoSeed } };
      const created = await (await context.services()).trainer.createRun(request);
      return watchRun(context, required(created.run).id);
    });
  const pretraining = await run('pretrain', pretrainSpec(recipe, required(textData.ref)));
  const base = required(pretraining.run.model);

  const evaluation = (what: string, options: Parameters<typeof evaluate>[1]) =>
    stage(`evaluate: ${what}`, describeEvaluation, () =>
      evaluate(context, { ...options, requestId: requestId(`evaluate-${what}`) }),
    );
  const baseEvaluation = await evaluation('base', {
    model: base,
    tasks: [
      {
        task: { $case: 'languageModelling', value: { dataset: required(textData.ref), split: Split.SPLIT_VALIDATION } },
      },
      {
        task: {
          $case: 'samples',
          value: { prompts: recipe.prompts, maxNewTokens: 60, temperature: 0.8, topK: 50, seed: demoSeed },
        },
      },
    ],
  });

  const pipelineRun = await stage('new labels: finetune, evaluate, promote', describePipelineRun, async () => {
    const { orchestrator } = await context.services();
    await orchestrator.applyPipeline({ pipeline: pipelineOf(recipe, base) });
    const { key } = await addLabels(context, classifier.task, classifier.labels);
    const started = await findPipelineRun(context, classifier.task, key);
    return mustBePromoted(await watchPipelineRun(context, started.id));
  });
  const testData = await dataset('labels-test', DatasetKind.DATASET_KIND_LABELLED, classifier.test);
  const classifierEvaluation = await evaluation('classifier', {
    model: required(pipelineRun.candidate),
    tasks: [{ task: { $case: 'classification', value: { dataset: required(testData.ref), split: Split.SPLIT_TEST } } }],
  });

  const rows = await dataset(
    'instructions',
    DatasetKind.DATASET_KIND_INSTRUCTIONS,
    assistant.rows,
    assistant.maxRowTokens,
  );
  const assistantRun = await run('assistant', {
    objective: Objective.OBJECTIVE_INSTRUCT,
    start: { $case: 'base', value: base },
    mixture: [{ dataset: required(rows.ref), weight: 0 }],
    hyperparameters: {
      maxSteps: assistant.maxSteps,
      batchSize: 8,
      learningRate: 3e-4,
      warmupSteps: 10,
      weightDecay: 0.1,
      gradClip: 1,
    },
  });
  const assistantModel = required(assistantRun.run.model);
  const assistantEvaluation = await evaluation('assistant', {
    model: assistantModel,
    tasks: [
      {
        task: {
          $case: 'instructionFollowing',
          value: { dataset: required(rows.ref), split: Split.SPLIT_TEST, limit: 20, maxNewTokens: 40 },
        },
      },
    ],
  });
  await stage(
    'promote',
    () => `${formatRef(base)}, ${formatRef(assistantModel)}`,
    async () => {
      const { weightLoader } = await context.services();
      for (const model of [base, assistantModel]) await weightLoader.promoteModel({ model, reason: 'demo' });
    },
  );

  const answers = await stage(
    'generate, classify, chat',
    ({ generated }) => `${generated.length} texts`,
    () => askAll(context, recipe, { base, classifier: required(pipelineRun.candidate), assistant: assistantModel }),
  );
  const classifierRun = await watchRun(context, pipelineRun.runId);
  return {
    stages,
    datasets: [
      { title: 'text', ref: required(textData.ref), sha256: textData.sha256 },
      { title: 'labels, held out', ref: required(testData.ref), sha256: testData.sha256 },
      { title: 'instructions', ref: required(rows.ref), sha256: rows.sha256 },
    ],
    tokenizerSha256: tokenizer.sha256,
    pretraining,
    classifier: classifierRun,
    assistant: assistantRun,
    pipelineRun,
    evaluations: { base: baseEvaluation, classifier: classifierEvaluation, assistant: assistantEvaluation },
    answers,
  };
}

const pretrainSpec = (
  { pretraining: { batchSize, maxSteps, ...shape } }: Recipe,
  dataset: ArtifactRef,
): DeepPartial<RunSpec> => ({
  objective: Objective.OBJECTIVE_PRETRAIN,
  start: { $case: 'architecture', value: { modelType: 'gpt2', ...shape } },
  mixture: [{ dataset, weight: 0 }],
  hyperparameters: {
    maxSteps,
    batchSize,
    blockSize: shape.blockSize,
    learningRate: 1e-3,
    minLearningRate: 1e-4,
    warmupSteps: Math.ceil(maxSteps / 12),
    beta2: 0.99,
    weightDecay: 0.1,
    gradClip: 1,
    evalBatches: 40,
  },
});

const pipelineOf = ({ classifier, pretraining }: Recipe, base: ArtifactRef): DeepPartial<Pipeline> => ({
  task: classifier.task,
  base,
  objective: Objective.OBJECTIVE_CLASSIFY,
  hyperparameters: {
    maxSteps: classifier.maxSteps,
    batchSize: 8,
    blockSize: pretraining.blockSize,
    learningRate: classifier.learningRate,
    warmupSteps: 10,
    weightDecay: 0.1,
    gradClip: 1,
    keepBest: true,
  },
  seed: demoSeed,
  outputModel: classifier.task,
  gate: { metric: 'accuracy', beatBaseline: true },
  batching: { minExamples: 100, maxWaitSeconds: 30, debounceSeconds: 1 },
});

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new AppError('INTERNAL', 'a service left a required field of its reply empty');
  return value;
}

function mustBePromoted(run: PipelineRun): PipelineRun {
  if (run.phase === PipelinePhase.PIPELINE_PHASE_PROMOTED) return run;
  throw new AppError('FAILED_PRECONDITION', `pipeline run ${run.id} ended without a promotion: ${run.reason}`);
}

const describeDataset = ({ ref, splits }: Awaited<ReturnType<typeof createDataset>>): string =>
  `${formatRef(ref)}, ${formatCount(splits.reduce((sum, split) => sum + split.tokens, 0))} tokens`;

const describeRun = ({ run }: WatchedRun): string =>
  `${formatRef(run.model)}, loss ${run.lastMetrics?.loss.toFixed(3) ?? 'n/a'} after ${run.lastMetrics?.step ?? 0} steps`;

const describeEvaluation = (evaluation: Evaluation): string =>
  scoresOf(evaluation)
    .map(({ metric, value }) => `${metric} ${formatScore(value)}`)
    .join(', ');

const describePipelineRun = ({ candidate, candidateScore }: PipelineRun): string =>
  `${formatRef(candidate)} promoted, accuracy ${candidateScore.toFixed(4)} on validation`;
