// Drives pipeline runs: takes batches that are due, takes every active run as far as it goes. Called by events and by a clock; both may come twice.
import { keys } from '#lib/contracts/keys.ts';
import { fromUnknown, hasCode, notFound } from '#lib/platform/errors.ts';
import { idOfRequest } from '#lib/platform/ids.ts';
import { type KeyValue, update } from '#lib/platform/key-value.ts';
import type { Logger } from '#lib/platform/log.ts';
import {
  addFile,
  emptyLedger,
  filesOf,
  isBatchDue,
  type LabelledFile,
  type Ledger,
  ledgerSchema,
  pipelineRunIds,
  takeBatch,
  waitingFiles,
} from './ledger.ts';
import type { OrchestratorMetrics } from './metrics.ts';
import { findPipeline, getPipeline, listPipelines, toStored } from './pipeline.ts';
import { createRecord, getRecord, isActive, listRecords, type PipelineRunRecord, saveRecord } from './pipeline-run.ts';
import { type StageDependencies, stages } from './stages.ts';

export interface DriverOptions extends StageDependencies {
  metrics: OrchestratorMetrics;
  state: KeyValue;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
}

export interface Driver {
  /** Books a labelled file; the same content again changes nothing. */
  addLabels(task: string, file: Omit<LabelledFile, 'pipelineRunId'>): Promise<void>;
  /** Takes the waiting labels at once. NOT_FOUND where none wait. */
  trigger(task: string): Promise<PipelineRunRecord>;
  /** Takes due batches and moves every active run on. */
  tick(): Promise<void>;
  /** Moves one run on. */
  advance(pipelineRunId: string): Promise<void>;
}

export function createDriver({ state, log, now, ...dependencies }: DriverOptions): Driver {
  const { tracing, metrics } = dependencies;
  const moving = new Map<string, Promise<void>>();

  const readLedger = async (task: string): Promise<Ledger> => {
    const entry = await state.get(keys.labels(task));
    return entry ? ledgerSchema.parse(entry.value) : emptyLedger;
  };

  /** First the ledger says whose the files are, then the run is created: a crash in between is mended by the next call. */
  async function take(task: string, due: (ledger: Ledger) => boolean): Promise<void> {
    await update<Ledger>(state, keys.labels(task), (ledger) =>
      ledger && due(ledger) ? takeBatch(ledger, batchId(task, ledger)) : undefined,
    );
    const ledger = await readLedger(task);
    const known = new Set((await listRecords(state)).map(({ id }) => id));
    const pipeline = await findPipeline(state, task);
    if (!pipeline) return;
    for (const id of pipelineRunIds(ledger).filter((one) => !known.has(one))) {
      const createTime = new Date(now()).toISOString();
      const files = filesOf(ledger, id);
      await createRecord(state, {
        id,
        task,
        phase: 'preparing',
        pipeline: toStored(pipeline),
        ...files,
        traceparent: files.batch.find((file) => file.traceparent)?.traceparent,
        reason: '',
        createTime,
        endTime: '',
      });
      log.info({ pipelineRun: id, task, files: files.batch.length }, 'batch of labels taken');
    }
  }

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
      const { code, message } = fromUnknown(error);
      if (hasCode(error, 'UNAVAILABLE', 'ABORTED', 'DEADLINE_EXCEEDED', 'CANCELLED')) {
        log.warn({ pipelineRun: record.id, code, message }, 'will be tried again');
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

  return {
    async addLabels(task, file) {
      const traceparent = tracing.traceparent();
      const labelled = { ...file, ...(traceparent && { traceparent }) };
      await update<Ledger>(state, keys.labels(task), (ledger) => addFile(ledger ?? emptyLedger, labelled, now()));
    },
    async trigger(task) {
      await getPipeline(state, task);
      const waiting = await readLedger(task);
      if (!waitingFiles(waiting).length)
        throw notFound('waiting labels of task', task, 'add some with `strata labels add`');
      const id = batchId(task, waiting);
      await take(task, (ledger) => waitingFiles(ledger).length > 0);
      return getRecord(state, id);
    },
    async tick() {
      for (const { task, batching } of await listPipelines(state)) {
        await take(task, (ledger) => batching !== undefined && isBatchDue(ledger, batching, now()));
      }
      const active = (await listRecords(state)).filter(isActive);
      await Promise.all(active.map(({ id }) => advance(id)));
    },
    advance,
  };
}

/** A batch is what it holds: the same files give the same run. */
const batchId = (task: string, ledger: Ledger): string =>
  idOfRequest('pipeline-run', [task, ...waitingFiles(ledger).map((file) => file.sha256)].sort().join(' '));
