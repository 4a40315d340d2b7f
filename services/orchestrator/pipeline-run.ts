// A pipeline run: one batch of labels on its way to a promoted model, as it is kept.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { PipelinePhase, PipelineRun } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { keys } from '#lib/contracts/keys.ts';
import { notFound } from '#lib/platform/errors.ts';
import { type KeyValue, update } from '#lib/platform/key-value.ts';
import type { LabelledFile } from './ledger.ts';

export const activePhases = ['preparing', 'training', 'evaluating'] as const;
export type ActivePhase = (typeof activePhases)[number];
export type Phase = ActivePhase | 'promoted' | 'refused' | 'failed';

const phaseMessages = {
  preparing: PipelinePhase.PIPELINE_PHASE_PREPARING,
  training: PipelinePhase.PIPELINE_PHASE_TRAINING,
  evaluating: PipelinePhase.PIPELINE_PHASE_EVALUATING,
  promoted: PipelinePhase.PIPELINE_PHASE_PROMOTED,
  refused: PipelinePhase.PIPELINE_PHASE_REFUSED,
  failed: PipelinePhase.PIPELINE_PHASE_FAILED,
} satisfies Record<Phase, PipelinePhase>;

export interface PipelineRunRecord {
  id: string;
  task: string;
  phase: Phase;
  /** The pipeline as it was when the batch was taken, in its stored form. */
  pipeline: unknown;
  batch: LabelledFile[];
  dataset?: ArtifactRef;
  runId?: string;
  candidate?: ArtifactRef;
  evaluationId?: string;
  /** The version in service when the evaluation began, and its evaluation on the same data. */
  incumbent?: ArtifactRef;
  incumbentEvaluationId?: string;
  candidateScore?: number;
  incumbentScore?: number;
  reason: string;
  /** The trace of its first file that has one; every stage goes on in it. */
  traceparent?: string | undefined;
  createTime: string;
  endTime: string;
}

export const isActive = (record: PipelineRunRecord): record is PipelineRunRecord & { phase: ActivePhase } =>
  activePhases.some((phase) => phase === record.phase);

export const toMessage = ({
  phase,
  pipeline: _,
  batch,
  incumbentEvaluationId: __,
  ...record
}: PipelineRunRecord): PipelineRun =>
  PipelineRun.fromPartial({ ...record, phase: phaseMessages[phase], labels: batch });

/** @throws {AppError} NOT_FOUND */
export async function getRecord(state: KeyValue, id: string): Promise<PipelineRunRecord> {
  const entry = await state.get<PipelineRunRecord>(keys.pipelineRun(id));
  if (!entry) throw notFound('pipeline run', id, 'list them with ListPipelineRuns (`strata pipeline runs`)');
  return entry.value;
}

export const listRecords = async (state: KeyValue): Promise<PipelineRunRecord[]> =>
  (await state.list<PipelineRunRecord>(keys.pipelineRuns)).map((entry) => entry.value);

/** Writes what has become of the run, unless it has moved on in the meantime. */
export const saveRecord = (
  state: KeyValue,
  from: Phase,
  next: PipelineRunRecord,
): Promise<PipelineRunRecord | undefined> =>
  update<PipelineRunRecord>(state, keys.pipelineRun(next.id), (current) =>
    current?.phase === from ? next : undefined,
  );

/** False where the run is there already: nothing is written then. */
export async function createRecord(state: KeyValue, record: PipelineRunRecord): Promise<boolean> {
  const stored = await update<PipelineRunRecord>(state, keys.pipelineRun(record.id), (current) =>
    current ? undefined : record,
  );
  return stored === record;
}
