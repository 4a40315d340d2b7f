// What each phase of a pipeline run does. Every request carries the pipeline run's id, so that doing a stage twice does it once.
import type { ArtifactRef, Score } from '#lib/contracts/gen/strata/common/v1/common.ts';
import {
  type DataSamplerServiceClient,
  type Dataset,
  DatasetKind,
  Split,
} from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import {
  type DeepPartial,
  type Evaluation,
  EvaluationPhase,
  type EvaluationTask,
  type EvaluatorServiceClient,
} from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import type { Pipeline } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import {
  Objective,
  Phase as RunPhase,
  type TrainerServiceClient,
} from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import type { WeightLoaderServiceClient } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { AppError, hasCode } from '#lib/platform/errors.ts';
import type { KeyValue } from '#lib/platform/key-value.ts';
import { notTraced, type Tracing } from '#lib/platform/telemetry/tracing.ts';
import { judge } from './gate.ts';
import { filesOf, readLedger } from './ledger.ts';
import { fromStored } from './pipeline.ts';
import type { ActivePhase, PipelineRunRecord } from './pipeline-run.ts';

export interface StageDependencies {
  dataSampler: Pick<DataSamplerServiceClient, 'createDataset'>;
  trainer: Pick<TrainerServiceClient, 'createRun' | 'getRun'>;
  evaluator: Pick<EvaluatorServiceClient, 'createEvaluation' | 'getEvaluation'>;
  weightLoader: Pick<WeightLoaderServiceClient, 'getModel' | 'promoteModel'>;
  state: KeyValue;
  tracing: Tracing;
  /** Ends every call: the stage is done again at the next start. */
  signal: AbortSignal;
}

/** Takes a run one stage on. The same record comes back where it has to wait for a training run or an evaluation. */
export type Stage = (record: PipelineRunRecord, dependencies: StageDependencies) => Promise<PipelineRunRecord>;

const validationShare = 0.2;

/** A stage that does something, as a span of the trace that brought the labels. Looking whether it is time is no span. */
const traced =
  (name: string, stage: Stage): Stage =>
  (record, dependencies) => {
    const attributes = { 'strata.pipeline_run.id': record.id, 'strata.task': record.task };
    const parent = record.traceparent ?? notTraced;
    return dependencies.tracing.span(name, { parent, attributes }, () => stage(record, dependencies));
  };

/** A run learns from its own batch and from what earlier batches brought: all of it again, from the base. */
const prepare: Stage = async (record, { dataSampler, state, signal }) => {
  const pipeline = fromStored(record.pipeline);
  const { earlier, batch } = filesOf(await readLedger(state, record.task), record.id);
  const base = required(pipeline.base, 'base');
  const request = {
    requestId: record.id,
    name: `${record.task}-labels`,
    kind: datasetKinds[pipeline.objective] ?? DatasetKind.DATASET_KIND_LABELLED,
    sources: [...earlier, ...batch].map((object) => ({ object })),
    tokenizer: { name: `model:${base.name}`, version: base.version },
    validationShare,
    seed: pipeline.seed,
    maxRowTokens: pipeline.hyperparameters?.blockSize ?? 0,
  };
  let dataset: Dataset | undefined;
  for await (const { event } of dataSampler.createDataset(request, { signal })) {
    if (event?.$case === 'dataset') dataset = event.value;
  }
  return { ...record, phase: 'training', dataset: required(dataset?.ref, 'dataset') };
};

const startTraining: Stage = async (record, { trainer, signal }) => {
  const pipeline = fromStored(record.pipeline);
  const request = {
    requestId: record.id,
    name: `${record.task}-${record.id.slice(-8)}`,
    labels: { pipeline_run: record.id },
    spec: {
      objective: pipeline.objective,
      start: { $case: 'base' as const, value: required(pipeline.base, 'base') },
      mixture: [{ dataset: required(record.dataset, 'dataset'), weight: 0 }],
      ...(pipeline.hyperparameters && { hyperparameters: pipeline.hyperparameters }),
      seed: pipeline.seed,
      outputModel: pipeline.outputModel,
      device: pipeline.device,
    },
  };
  const { run } = await trainer.createRun(request, { signal });
  return { ...record, runId: required(run, 'run').id };
};

const awaitTraining: Stage = async (record, { trainer, signal }) => {
  const { run } = await trainer.getRun({ runId: required(record.runId, 'runId') }, { signal });
  if (run?.phase === RunPhase.PHASE_SUCCEEDED)
    return { ...record, phase: 'evaluating', candidate: required(run.model, 'model') };
  if (run?.phase === RunPhase.PHASE_FAILED || run?.phase === RunPhase.PHASE_CANCELLED) {
    throw new AppError(
      'FAILED_PRECONDITION',
      `training run ${record.runId} did not finish: ${run.error || 'it was cancelled'}`,
    );
  }
  return record;
};

const startEvaluations: Stage = async (record, dependencies) => {
  const candidate = required(record.candidate, 'candidate');
  const incumbent = await versionInService(dependencies, fromStored(record.pipeline));
  const start = (model: ArtifactRef, suffix: string) => startEvaluation(dependencies, record, model, suffix);
  const evaluationId = await start(candidate, 'candidate');
  if (!incumbent) return { ...record, evaluationId };
  return { ...record, evaluationId, incumbent, incumbentEvaluationId: await start(incumbent, 'incumbent') };
};

const awaitEvaluations: Stage = async (record, dependencies) => {
  const mine = await finishedEvaluation(dependencies, required(record.evaluationId, 'evaluationId'));
  const theirs =
    record.incumbentEvaluationId && (await finishedEvaluation(dependencies, record.incumbentEvaluationId, 'may fail'));
  if (mine === 'running' || theirs === 'running') return record;
  const decide = traced('gate', (current, { weightLoader, signal }) =>
    judgeAndPromote(current, { weightLoader, signal, mine, theirs }),
  );
  return decide(record, dependencies);
};

interface Judged extends Pick<StageDependencies, 'weightLoader' | 'signal'> {
  mine: Evaluation | undefined;
  /** Of the version in service; nothing where none serves, or where it cannot be measured. */
  theirs: Evaluation | undefined | '';
}

async function judgeAndPromote(record: PipelineRunRecord, { weightLoader, signal, mine, theirs }: Judged) {
  const pipeline = fromStored(record.pipeline);
  const candidate = required(record.candidate, 'candidate');
  const score = scoreOf(required(mine, 'evaluation'), pipeline);
  const incumbentScore = theirs ? scoreOf(theirs, pipeline) : undefined;
  const { promote, reason } = judge(required(pipeline.gate, 'gate'), score, incumbentScore);
  const judged = {
    ...record,
    reason,
    candidateScore: score.value,
    ...(incumbentScore && { incumbentScore: incumbentScore.value }),
  };
  if (!promote) return { ...judged, phase: 'refused' as const };
  const promotion = { model: candidate, alias: pipeline.alias, reason: `pipeline run ${record.id}: ${reason}` };
  await weightLoader.promoteModel(promotion, { signal });
  return { ...judged, phase: 'promoted' as const };
}

const train = traced('start training', startTraining);
const evaluate = traced('start evaluations', startEvaluations);

export const stages = {
  preparing: traced('prepare dataset', prepare),
  training: (record, dependencies) => (record.runId ? awaitTraining : train)(record, dependencies),
  evaluating: (record, dependencies) => (record.evaluationId ? awaitEvaluations : evaluate)(record, dependencies),
} satisfies Record<ActivePhase, Stage>;

const datasetKinds: Partial<Record<Objective, DatasetKind>> = {
  [Objective.OBJECTIVE_CLASSIFY]: DatasetKind.DATASET_KIND_LABELLED,
  [Objective.OBJECTIVE_INSTRUCT]: DatasetKind.DATASET_KIND_INSTRUCTIONS,
};

async function versionInService(
  { weightLoader, signal }: StageDependencies,
  { outputModel, alias }: Pipeline,
): Promise<ArtifactRef | undefined> {
  try {
    const { version } = await weightLoader.getModel({ model: { name: outputModel, version: alias } }, { signal });
    return version?.ref;
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

async function startEvaluation(
  { evaluator, signal }: StageDependencies,
  record: PipelineRunRecord,
  model: ArtifactRef,
  suffix: string,
): Promise<string> {
  const request = {
    requestId: `${record.id}-${suffix}`,
    model,
    tasks: [evaluationTask(fromStored(record.pipeline).objective, required(record.dataset, 'dataset'))],
    labels: { pipeline_run: record.id },
  };
  const { evaluation } = await evaluator.createEvaluation(request, { signal });
  return required(evaluation, 'evaluation').id;
}

function evaluationTask(objective: Objective, dataset: ArtifactRef): DeepPartial<EvaluationTask> {
  const value = { dataset, split: Split.SPLIT_VALIDATION };
  if (objective !== Objective.OBJECTIVE_INSTRUCT) return { task: { $case: 'classification', value } };
  return { task: { $case: 'instructionFollowing', value: { ...value, limit: 50, maxNewTokens: 64 } } };
}

/** @param onFailure `may fail`: a failed evaluation of the incumbent (other labels, say) counts as having none */
async function finishedEvaluation(
  { evaluator, signal }: StageDependencies,
  evaluationId: string,
  onFailure?: 'may fail',
): Promise<Evaluation | 'running' | undefined> {
  const { evaluation } = await evaluator.getEvaluation({ evaluationId }, { signal });
  if (evaluation?.phase === EvaluationPhase.EVALUATION_PHASE_SUCCEEDED) return evaluation;
  if (evaluation?.phase !== EvaluationPhase.EVALUATION_PHASE_FAILED) return 'running';
  if (onFailure) return undefined;
  throw new AppError('FAILED_PRECONDITION', `evaluation ${evaluationId} failed: ${evaluation.error}`);
}

function scoreOf({ id, results }: Evaluation, { gate }: Pipeline): Score {
  const scores = results.flatMap((result) => result.scores);
  const score = scores.find(({ metric }) => metric === gate?.metric);
  if (score) return score;
  const known = scores.map(({ metric }) => metric).join(', ');
  throw new AppError(
    'FAILED_PRECONDITION',
    `evaluation ${id} has no score "${gate?.metric}" for the gate, only: ${known}`,
  );
}

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new AppError('INTERNAL', `pipeline run: ${what} is missing`);
  return value;
}
