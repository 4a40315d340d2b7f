// Drives pipeline runs: takes batches that are due, takes every active run as far as it goes. Called by events and by a clock; both may come twice.
// What it remembers is for speed alone: everything follows from what is stored.
import type { Pipeline } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { keys } from '#lib/contracts/keys.ts';
import { fromUnknown, hasCode, notFound } from '#lib/platform/errors.ts';
import { idOfRequest } from '#lib/platform/ids.ts';
import { update } from '#lib/platform/key-value.ts';
import type { Logger } from '#lib/platform/log.ts';
import {
  addFile,
  emptyLedger,
  filesOf,
  isBatchDue,
  type LabelledFile,
  type Ledger,
  pipelineRunIds,
  readLedger,
  takeBatch,
  waitingFiles,
} from './ledger.ts';
import type { OrchestratorMetrics } from './metrics.ts';
import { findPipeline, getPipeline, listPipelines, toStored } from './pipeline.ts';
import { createRecord, getRecord, isActive, type PipelineRunRecord, saveRecord } from './pipeline-run.ts';
import { type StageDependencies, stages } from './stages.ts';

export interface DriverOptions extends StageDependencies {
  metrics: OrchestratorMetrics;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
}

export interface Driver {
  /** Learns of runs, here and elsewhere, and moves on those that have work; until aborted. */
  follow(): Promise<void>;
  /** Books a labelled file, and takes the batch where that makes it due; the same content again changes nothing. */
  addLabels(task: string, file: Omit<LabelledFile, 'pipelineRunId'>): Promise<void>;
  /** Takes the waiting labels at once. NOT_FOUND where none wait. */
  trigger(task: string): Promise<PipelineRunRecord>;
  /** Takes due batches, and looks at every active run. */
  tick(): Promise<void>;
  /** Moves one run on. */
  advance(pipelineRunId: string): Promise<void>;
  /** Resolves once nothing moves any more; after an abort that is soon. */
  settled(): Promise<void>;
}

export function createDriver({ log, now, metrics, ...dependencies }: DriverOptions): Driver {
  const { state, tracing, signal } = dependencies;
  const moving = new Map<string, Promise<void>>();
  /** Runs that have not ended; and those that are known to be stored. */
  const open = new Set<string>();
  const stored = new Set<string>();

  /** First the ledger says whose the files are, then the run is created: a crash in between is mended by the next call. */
  async function take(task: string, due: (ledger: Ledger) => boolean): Promise<void> {
    await update<Ledger>(state, keys.labels(task), (ledger) =>
      ledger && due(ledger) ? takeBatch(ledger, batchId(task, ledger)) : undefined,
    );
    const ledger = await readLedger(state, task);
    const unknown = pipelineRunIds(ledger).filter((id) => !stored.has(id));
    const pipeline = unknown.length ? await findPipeline(state, task) : undefined;
    if (!pipeline) return;
    for (const id of unknown) {
      const { batch } = filesOf(ledger, id);
      const isNew = await createRecord(state, {
        id,
        task,
        phase: 'preparing',
        pipeline: toStored(pipeline),
        batch,
        traceparent: batch.find((file) => file.traceparent)?.traceparent,
        reason: '',
        createTime: new Date(now()).toISOString(),
        endTime: '',
      });
      stored.add(id);
      if (isNew) log.info({ pipelineRun: id, task, files: batch.length }, 'batch of labels taken');
    }
  }

  /** What goes wrong is done at the next tick, and is no other task's harm. */
  const takeDue = ({ task, batching }: Pipeline): Promise<void> =>
    take(task, (ledger) => batching !== undefined && isBatchDue(ledger, batching, now())).catch((error) =>
      log.warn({ task, error }, 'the batch cannot be taken for now'),
    );

  async function moveOn(id: string): Promise<void> {
    let record = await getRecord(state, id);
    while (isActive(record)) {
      const { phase } = record;
      const next = await runStage(record);
      if (next === record) return;
      const ended = isActive(next) ? next : { ...next, endTime: new Date(now()).toISOString() };
      record = (await saveRecord(state, phase, ended)) ?? record;
      if (!isActive(record)) metrics.ended(record);
      log.info({ pipelineRun: id, phase: record.phase, reason: record.reason || undefined }, 'pipeline run moved on');
    }
  }

  /** A service that is away is asked again at the next tick; anything else ends the run with its reason. */
  async function runStage(record: PipelineRunRecord & { phase: keyof typeof stages }): Promise<PipelineRunRecord> {
    try {
      return await stages[record.phase](record, dependencies);
    } catch (error) {
      const failure = fromUnknown(error);
      const { code, message } = failure;
      if (hasCode(failure, 'UNAVAILABLE', 'ABORTED', 'DEADLINE_EXCEEDED', 'CANCELLED')) {
        if (!signal.aborted) log.warn({ pipelineRun: record.id, code, message }, 'will be tried again');
        return record;
      }
      if (code === 'INTERNAL') log.error({ error, pipelineRun: record.id }, 'pipeline run failed');
      return { ...record, phase: 'failed', reason: message };
    }
  }

  /** One mover a run and process; whoever comes meanwhile waits for it. */
  function advance(id: string): Promise<void> {
    const underWay = moving.get(id);
    if (underWay) return underWay;
    const move = moveOn(id).finally(() => moving.delete(id));
    moving.set(id, move);
    return move;
  }

  /** A move may last: nobody waits for it. What fails is tried again at the next tick. */
  const nudge = (id: string): void =>
    void advance(id).catch(
      (error) => signal.aborted || log.warn({ pipelineRun: id, error }, 'cannot be moved on for now'),
    );

  return {
    async follow() {
      for await (const change of state.watch<PipelineRunRecord>(keys.pipelineRuns, { signal })) {
        const id = change.key.slice(keys.pipelineRuns.length + 1);
        if (change.kind === 'delete' || !isActive(change.value)) open.delete(id);
        else if (!open.has(id)) {
          open.add(id);
          nudge(id);
        }
      }
    },
    async addLabels(task, file) {
      const traceparent = tracing.traceparent();
      const labelled = { ...file, ...(traceparent && { traceparent }) };
      await update<Ledger>(state, keys.labels(task), (ledger) => addFile(ledger ?? emptyLedger, labelled, now()));
      // The file is booked: from here on, the next tick would do it too.
      const pipeline = await findPipeline(state, task).catch(() => undefined);
      if (pipeline) await takeDue(pipeline);
    },
    async trigger(task) {
      await getPipeline(state, task);
      const waiting = await readLedger(state, task);
      if (!waitingFiles(waiting).length)
        throw notFound('waiting labels of task', task, 'add some with `strata labels add`');
      const id = batchId(task, waiting);
      await take(task, (ledger) => waitingFiles(ledger).length > 0);
      return getRecord(state, id);
    },
    async tick() {
      for (const pipeline of await listPipelines(state)) await takeDue(pipeline);
      for (const id of open) nudge(id);
    },
    advance,
    settled: async () => void (await Promise.allSettled(moving.values())),
  };
}

/** A batch is what it holds: the same files give the same run. */
const batchId = (task: string, ledger: Ledger): string =>
  idOfRequest('pipeline-run', [task, ...waitingFiles(ledger).map((file) => file.sha256)].sort().join(' '));
