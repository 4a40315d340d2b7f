// An evaluation as it is kept: its request, how far it has come, its results. Changed by compare-and-set.
import type { ArtifactRef, Progress } from '#lib/contracts/gen/strata/common/v1/common.ts';
import {
  Evaluation,
  EvaluationPhase,
  EvaluationTask,
  TaskResult,
} from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import { keys } from '#lib/contracts/keys.ts';
import { notFound } from '#lib/platform/errors.ts';
import { type KeyValue, update } from '#lib/platform/key-value.ts';

export const phases = ['pending', 'running', 'succeeded', 'failed'] as const;
export type Phase = (typeof phases)[number];

export interface EvaluationRecord {
  id: string;
  /** Pinned to a version when the evaluation was created. */
  model: ArtifactRef;
  /** In their JSON form, which survives added fields; so are the results. */
  tasks: unknown[];
  results: unknown[];
  phase: Phase;
  progress?: Progress;
  error: string;
  labels: Record<string, string>;
  createTime: string;
  endTime: string;
  /** Workers started so far. */
  attempts: number;
  /** Those of them that died without a word. */
  deaths?: number;
  /** The trace that asked for it; its work goes on in it. */
  traceparent?: string | undefined;
  /** Whether evaluation.completed was published. */
  announced: boolean;
}

const phaseMessages = {
  pending: EvaluationPhase.EVALUATION_PHASE_PENDING,
  running: EvaluationPhase.EVALUATION_PHASE_RUNNING,
  succeeded: EvaluationPhase.EVALUATION_PHASE_SUCCEEDED,
  failed: EvaluationPhase.EVALUATION_PHASE_FAILED,
} satisfies Record<Phase, EvaluationPhase>;

export const hasEnded = ({ phase }: EvaluationRecord): boolean => phase === 'succeeded' || phase === 'failed';

export const tasksOf = ({ tasks }: EvaluationRecord): EvaluationTask[] =>
  tasks.map((task) => EvaluationTask.fromJSON(task));

export const toMessage = ({ attempts: _, deaths: __, announced: ___, ...record }: EvaluationRecord): Evaluation =>
  Evaluation.fromPartial({
    ...record,
    phase: phaseMessages[record.phase],
    tasks: tasksOf(record as EvaluationRecord),
    results: record.results.map((result) => TaskResult.fromJSON(result)),
  });

/** @throws {AppError} NOT_FOUND */
export async function getEvaluation(state: KeyValue, id: string): Promise<EvaluationRecord> {
  const entry = id ? await state.get<EvaluationRecord>(keys.evaluation(id)) : undefined;
  if (!entry) throw notFound('evaluation', id, 'list them with ListEvaluations');
  return entry.value;
}

export const listEvaluations = async (state: KeyValue): Promise<EvaluationRecord[]> =>
  (await state.list<EvaluationRecord>(keys.evaluations)).map((entry) => entry.value);

/** Changes an evaluation that has not ended; undefined where it has, or where `change` wants nothing. */
export async function changeEvaluation(
  state: KeyValue,
  id: string,
  change: (record: EvaluationRecord) => EvaluationRecord | undefined,
): Promise<EvaluationRecord | undefined> {
  return update<EvaluationRecord>(state, keys.evaluation(id), (record) =>
    record && !hasEnded(record) ? change(record) : undefined,
  );
}
