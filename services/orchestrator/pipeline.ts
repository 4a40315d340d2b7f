// A pipeline as it is declared: checks, defaults, and how it is kept.
import { Pipeline } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { Objective } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { keys } from '#lib/contracts/keys.ts';
import { check, nameProblem } from '#lib/platform/check.ts';
import { notFound } from '#lib/platform/errors.ts';
import type { KeyValue } from '#lib/platform/key-value.ts';

/** Per objective: the metric of the gate unless another is named, and the ones it may be. */
const gateMetrics: Partial<Record<Objective, readonly [string, ...string[]]>> = {
  [Objective.OBJECTIVE_CLASSIFY]: ['accuracy', 'f1'],
  [Objective.OBJECTIVE_INSTRUCT]: ['loss', 'exact_match'],
};

const defaultBatching = { minExamples: 100, maxWaitSeconds: 600, debounceSeconds: 5 };

/**
 * The pipeline with its defaults filled in.
 * @throws {AppError} INVALID_ARGUMENT naming every wrong field
 */
export function checkPipeline(pipeline: Pipeline | undefined): Pipeline {
  const {
    task = '',
    base,
    objective = Objective.OBJECTIVE_UNSPECIFIED,
    outputModel = '',
    gate,
    batching,
  } = pipeline ?? {};
  const metrics = gateMetrics[objective];
  const metric = gate?.metric || metrics?.[0] || '';
  check({
    pipeline: !pipeline && 'is required',
    'pipeline.task': nameProblem(task),
    'pipeline.base': !base?.name && 'the model to finetune is required',
    'pipeline.objective': !metrics && 'must be OBJECTIVE_CLASSIFY or OBJECTIVE_INSTRUCT',
    'pipeline.output_model': outputModel !== '' && nameProblem(outputModel),
    'pipeline.device': pipeline?.device && nameProblem(pipeline.device),
    'pipeline.gate.metric':
      metrics && !metrics.includes(metric) && `must be one of ${metrics.join(', ')}; it is "${metric}"`,
    'pipeline.batching.max_wait_seconds': batching && batching.maxWaitSeconds < 0 && 'must not be negative',
    'pipeline.batching.debounce_seconds': batching && batching.debounceSeconds < 0 && 'must not be negative',
  });
  return Pipeline.fromPartial({
    ...pipeline,
    outputModel: outputModel || task,
    alias: pipeline?.alias || 'production',
    gate: { threshold: 0, beatBaseline: gate === undefined, minImprovement: 0, ...gate, metric },
    batching: {
      minExamples: batching?.minExamples || defaultBatching.minExamples,
      maxWaitSeconds: batching?.maxWaitSeconds || defaultBatching.maxWaitSeconds,
      debounceSeconds: batching?.debounceSeconds ?? defaultBatching.debounceSeconds,
    },
  });
}

/** Pipelines are kept in their JSON form, which survives added fields. */
export const toStored = (pipeline: Pipeline): unknown => Pipeline.toJSON(pipeline);
export const fromStored = (stored: unknown): Pipeline => Pipeline.fromJSON(stored);

export const savePipeline = (state: KeyValue, pipeline: Pipeline): Promise<number> =>
  state.put(keys.pipeline(pipeline.task), toStored(pipeline));

export async function findPipeline(state: KeyValue, task: string): Promise<Pipeline | undefined> {
  const entry = await state.get(keys.pipeline(task));
  return entry && fromStored(entry.value);
}

/** @throws {AppError} NOT_FOUND with the command that declares one */
export async function getPipeline(state: KeyValue, task: string): Promise<Pipeline> {
  const pipeline = await findPipeline(state, task);
  if (!pipeline) throw notFound('pipeline', task, 'declare it with ApplyPipeline (`strata pipeline apply`)');
  return pipeline;
}

/** @throws {AppError} NOT_FOUND */
export async function deletePipeline(state: KeyValue, task: string): Promise<void> {
  if (!(await findPipeline(state, task))) throw notFound('pipeline', task, 'there are those of `strata pipeline list`');
  await state.delete(keys.pipeline(task));
}

export const listPipelines = async (state: KeyValue): Promise<Pipeline[]> =>
  (await state.list(keys.pipelines)).map((entry) => fromStored(entry.value));
