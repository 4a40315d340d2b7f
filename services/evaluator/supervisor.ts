// Keeps evaluations and their jobs in step: starts a worker for each, notices one that died, announces the end. Everything follows from what is
// stored, so it may itself die and start anew at any moment.
import { setTimeout as delay } from 'node:timers/promises';
import { createEvent, subjects } from '#lib/contracts/events.ts';
import { keys } from '#lib/contracts/keys.ts';
import type { EventBus } from '#lib/platform/event-bus.ts';
import { hasEnded as hasJobEnded, type JobRunner } from '#lib/platform/job-runner.ts';
import { keepRunning } from '#lib/platform/keep-running.ts';
import { type KeyValue, update } from '#lib/platform/key-value.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { Tracing } from '#lib/platform/telemetry/tracing.ts';
import { changeEvaluation, type EvaluationRecord, getEvaluation, hasEnded } from './evaluation.ts';
import type { EvaluatorMetrics } from './metrics.ts';
import { interruptedExitCode, jobNameOf, workerEntry, workVariables } from './worker-protocol.ts';

export interface SupervisorOptions {
  state: KeyValue;
  events: EventBus;
  jobs: JobRunner;
  log: Logger;
  tracing: Tracing;
  metrics: EvaluatorMetrics;
  /** Addresses of the services that workers call. */
  workerEnv: Record<string, string>;
  pollMs: number;
}

export interface Supervisor {
  stop(): Promise<void>;
}

/** A worker that died without a word is replaced, but not for ever. */
const mostDeaths = 3;

/** After a watch of the state that failed. */
const retryMs = 2000;

export function startSupervisor(options: SupervisorOptions): Supervisor {
  const { state, log, pollMs, tracing } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const open = new Set<string>();
  const visit = async (id: string): Promise<void> => {
    const record = await getEvaluation(state, id);
    if (hasEnded(record) && record.announced) open.delete(id);
    else await tracing.continue(record.traceparent, () => reconcile(record, options));
  };
  const follow = async (): Promise<void> => {
    for await (const change of state.watch<EvaluationRecord>(keys.evaluations, { signal })) {
      if (change.kind === 'put' && !(hasEnded(change.value) && change.value.announced)) open.add(change.value.id);
    }
  };
  const poll = async (): Promise<void> => {
    for (;;) {
      await delay(pollMs, undefined, { signal });
      for (const id of open) {
        await visit(id).catch((error) => log.warn({ evaluation: id, error }, 'cannot be looked after for now'));
      }
    }
  };
  const onFailure = (error: unknown): void => log.error({ error }, 'the supervisor cannot see the evaluations for now');
  const loops = [follow, poll].map((loop) => keepRunning(loop, { signal, onFailure, pauseMs: retryMs }));
  return {
    async stop() {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}

async function reconcile(record: EvaluationRecord, options: SupervisorOptions): Promise<void> {
  const { state, jobs, workerEnv, log } = options;
  const { id, attempts } = record;
  if (hasEnded(record)) return announce(record, options);
  if (record.phase === 'pending') {
    const started = await changeEvaluation(state, id, (current) =>
      current.phase === 'pending' ? { ...current, phase: 'running', attempts: current.attempts + 1 } : undefined,
    );
    if (started) await reconcile(started, options);
    return;
  }
  const name = jobNameOf(id, attempts);
  const job = await jobs.get(name);
  if (!job) {
    await jobs.start({
      name,
      entry: workerEntry,
      env: { ...workerEnv, [workVariables.evaluationId]: id },
      labels: { evaluation: id },
    });
    log.info({ evaluation: id, job: name }, 'worker started');
    return;
  }
  if (!hasJobEnded(job)) return;
  options.metrics.workerLost();
  const isInterrupted = job.interrupted || job.exitCode === interruptedExitCode;
  await changeEvaluation(state, id, (current) => {
    if (current.attempts !== attempts) return undefined;
    if (isInterrupted) return { ...current, phase: 'pending' };
    const deaths = (current.deaths ?? 0) + 1;
    if (deaths < mostDeaths) return { ...current, deaths, phase: 'pending' };
    const error = `its worker ended before it: ${job.reason ?? `exit code ${job.exitCode}`}`;
    return { ...current, phase: 'failed', error, endTime: new Date().toISOString() };
  });
}

async function announce(
  { id, model, phase, error, labels }: EvaluationRecord,
  { events, state }: SupervisorOptions,
): Promise<void> {
  const data = { evaluationId: id, model, phase: phase === 'succeeded' ? phase : ('failed' as const), error, labels };
  await events.publish(
    createEvent(subjects.evaluationCompleted, {
      id: `evaluation.completed/${id}`,
      source: 'evaluator',
      about: id,
      data,
    }),
  );
  await update<EvaluationRecord>(state, keys.evaluation(id), (current) => current && { ...current, announced: true });
}
