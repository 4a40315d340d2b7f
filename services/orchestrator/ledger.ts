// The ledger of a task's labelled files: which have come, which batch (pipeline run) each belongs to. One document a task, changed by compare-and-set.
// Apart from reading it, pure functions over the document; a file is known by its content, so the same labels under two names count once.
import { z } from 'zod';
import type { Batching } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { keys } from '#lib/contracts/keys.ts';
import type { KeyValue } from '#lib/platform/key-value.ts';

const labelledFile = z.object({
  key: z.string(),
  sizeBytes: z.number(),
  sha256: z.string(),
  examples: z.number(),
  /** The pipeline run that took it; empty while it waits. */
  pipelineRunId: z.string(),
  /** The trace that brought it. */
  traceparent: z.string().optional(),
});

export const ledgerSchema = z.object({
  files: z.array(labelledFile),
  /** Milliseconds since 1970: when the oldest and the newest waiting file came. */
  firstWaitingAt: z.number(),
  lastWaitingAt: z.number(),
});

export type LabelledFile = z.output<typeof labelledFile>;
export type Ledger = z.output<typeof ledgerSchema>;

export async function readLedger(state: KeyValue, task: string): Promise<Ledger> {
  const entry = await state.get(keys.labels(task));
  return entry ? ledgerSchema.parse(entry.value) : emptyLedger;
}

export const emptyLedger: Ledger = { files: [], firstWaitingAt: 0, lastWaitingAt: 0 };

export const waitingFiles = ({ files }: Ledger): LabelledFile[] => files.filter((file) => !file.pipelineRunId);

/** Undefined where the content is known already: nothing to write. */
export function addFile(ledger: Ledger, file: Omit<LabelledFile, 'pipelineRunId'>, now: number): Ledger | undefined {
  if (ledger.files.some((known) => known.sha256 === file.sha256)) return undefined;
  return {
    files: [...ledger.files, { ...file, pipelineRunId: '' }],
    firstWaitingAt: waitingFiles(ledger).length ? ledger.firstWaitingAt : now,
    lastWaitingAt: now,
  };
}

/** Enough examples, or old enough; and quiet for a moment in both cases. */
export function isBatchDue(ledger: Ledger, batching: Batching, now: number): boolean {
  const waiting = waitingFiles(ledger);
  if (!waiting.length || now - ledger.lastWaitingAt < batching.debounceSeconds * 1000) return false;
  const examples = waiting.reduce((sum, file) => sum + file.examples, 0);
  return examples >= batching.minExamples || now - ledger.firstWaitingAt >= batching.maxWaitSeconds * 1000;
}

/** Gives every waiting file to one pipeline run. */
export const takeBatch = (ledger: Ledger, pipelineRunId: string): Ledger => ({
  ...ledger,
  files: ledger.files.map((file) => (file.pipelineRunId ? file : { ...file, pipelineRunId })),
});

/** Pipeline runs in the order in which they took their files. */
export const pipelineRunIds = ({ files }: Ledger): string[] => [
  ...new Set(files.map((file) => file.pipelineRunId).filter(Boolean)),
];

/** A pipeline run learns from its own files and from all that were taken before it. */
export function filesOf(ledger: Ledger, pipelineRunId: string): { batch: LabelledFile[]; earlier: LabelledFile[] } {
  const order = pipelineRunIds(ledger);
  const earlier = new Set(order.slice(0, order.indexOf(pipelineRunId)));
  return {
    batch: ledger.files.filter((file) => file.pipelineRunId === pipelineRunId),
    earlier: ledger.files.filter((file) => earlier.has(file.pipelineRunId)),
  };
}
