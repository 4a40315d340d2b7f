// One look at one run: starts a worker where it waits, notices a worker that ended before its run, stops one that is not wanted any more.
// What it does follows from the stored run and its job alone, so doing it twice, or dying anywhere in between, does no harm.
import { hasCode } from '#lib/platform/errors.ts';
import { hasEnded, type Job, type JobRunner } from '#lib/platform/job-runner.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { Tracing } from '#lib/platform/telemetry/tracing.ts';
import type { Announcer } from './announce.ts';
import type { TrainerMetrics } from './metrics.ts';
import { buryWorker, type DeathPolicy, isOver, moveRun, type Run, restartRun } from './run.ts';
import type { RunStore } from './run-store.ts';
import { exitCodes, jobNameOf, workerEntry, workVariables } from './worker-protocol.ts';

export interface ReconcileOptions extends DeathPolicy {
  runs: RunStore;
  jobs: JobRunner;
  announcer: Announcer;
  log: Logger;
  tracing: Tracing;
  metrics: TrainerMetrics;
  /** Environment of every worker, beside what every job gets: the addresses of the services it calls. */
  workerEnv: Record<string, string>;
  /** How long a worker has for its last checkpoint when its run is cancelled. */
  cancelGraceMs: number;
}

/** What every worker waits for a moment is not worth telling. */
const noticeableWaitMs = 5000;

/** The function to call with a run's id whenever it, or its job, may have changed. */
export const createReconciler = (options: ReconcileOptions) => {
  const { runs, jobs, announcer, log, tracing, metrics, workerEnv, cancelGraceMs } = options;
  const cancels = new Set<string>();

  const startJob = async (run: Run, job: string): Promise<void> => {
    const variables = { [workVariables.runId]: run.id, [workVariables.attempt]: String(run.attempts) };
    const profile = run.spec.device;
    try {
      await jobs.start({
        name: job,
        entry: workerEntry,
        env: { ...workerEnv, ...variables },
        labels: { run: run.id },
        ...(profile && { profile }),
      });
      log.info({ run: run.id, job }, 'worker started');
    } catch (error) {
      if (!hasCode(error, 'INVALID_ARGUMENT')) throw error;
      // A profile that does not exist, a job that the cluster does not take: trying again changes nothing.
      await failRun(run, error.message);
    }
  };

  const failRun = async ({ id }: Run, error: string): Promise<void> => {
    await runs.update(id, (current) =>
      current.state.phase === 'running' ? moveRun(current, { phase: 'failed', error }, new Date()) : undefined,
    );
    log.warn({ run: id, error }, 'no worker can be started');
  };

  /** A worker that cannot begin says why, once that is no matter of a moment. */
  const noteWaiting = async (run: Run, { phase, reason = '', createdAt }: Job): Promise<void> => {
    const isLong = phase === 'pending' && Date.now() - Date.parse(createdAt) > noticeableWaitMs;
    const waitingFor = isLong ? reason : '';
    if (waitingFor === (run.waitingFor ?? '')) return;
    await runs.update(run.id, (current) => (isOver(current) ? undefined : { ...current, waitingFor }));
    if (waitingFor) log.warn({ run: run.id, waitingFor }, 'the worker cannot begin');
  };

  const startWorker = async (waiting: Run, notBefore = ''): Promise<void> => {
    const now = new Date();
    if (notBefore > now.toISOString()) return;
    const attempts = waiting.attempts + 1;
    const job = jobNameOf(waiting.id, attempts);
    const run = await runs.update(waiting.id, (current) => {
      if (current.state.phase !== 'pending' || current.attempts !== waiting.attempts) return undefined;
      return { ...moveRun(current, { phase: 'running', job }, now), attempts, workerError: '' };
    });
    if (run.state.phase === 'running') await startJob(run, run.state.job);
  };

  const checkWorker = async (run: Run, name: string): Promise<void> => {
    const job = await jobs.get(name);
    // Stored as running, but the service died before it could start the job.
    if (!job) return startJob(run, name);
    if (!hasEnded(job)) return noteWaiting(run, job);
    const reason = await reasonOf(job, jobs);
    const next = await runs.update(run.id, (current) =>
      current.state.phase === 'running' && current.state.job === name
        ? afterWorker(current, { job, reason, policy: options })
        : undefined,
    );
    if (isOver(next) && next.state.phase !== 'failed') return; // ending the run was the worker's last act
    if (next.state.phase === 'pending') metrics.restarted();
    log.warn({ run: run.id, job: name, phase: next.state.phase, restart: next.restarts.at(-1) }, 'worker ended');
  };

  const finishCancel = async (run: Run, name: string): Promise<void> => {
    const job = await jobs.get(name);
    if (job && !hasEnded(job)) return cancelJob(name);
    await runs.update(run.id, (current) =>
      current.state.phase === 'cancelling' ? moveRun(current, { phase: 'cancelled' }, new Date()) : undefined,
    );
  };

  const cancelJob = (name: string): void => {
    if (cancels.has(name)) return;
    cancels.add(name);
    void jobs
      .cancel(name, { graceMs: cancelGraceMs })
      .catch((error) => log.warn({ job: name, error }, 'the worker cannot be stopped for now'))
      .finally(() => cancels.delete(name));
  };

  const look = async (run: Run): Promise<void> => {
    await announcer.announce(run);
    const { state } = run;
    switch (state.phase) {
      case 'pending':
        return startWorker(run, state.notBefore);
      case 'running':
        return checkWorker(run, state.job);
      case 'cancelling':
        return finishCancel(run, state.job);
      case 'succeeded':
      case 'failed':
      case 'cancelled':
        return;
      default:
        return state satisfies never;
    }
  };

  return async (id: string): Promise<void> => {
    const run = await runs.get(id);
    await tracing.continue(run.traceparent, () => look(run));
  };
};

interface EndedWorker {
  job: Job;
  reason: string;
  policy: DeathPolicy;
}

/** What becomes of a run whose worker has ended before it. */
const afterWorker = (run: Run, { job, reason, policy }: EndedWorker): Run => {
  const now = new Date();
  if (job.interrupted || job.exitCode === exitCodes.interrupted) {
    return restartRun(run, { reason: job.interrupted ? reason : 'interrupted', now });
  }
  return buryWorker(run, run.workerError || reason, policy, now);
};

/** How a job ended, and where it ended by itself, the error it left in its log. */
const reasonOf = async ({ name, reason, exitCode }: Job, jobs: JobRunner): Promise<string> => {
  let lastError = '';
  if (exitCode)
    for await (const line of jobs.logs(name)) if (/^\S*Error\b/.test(line)) lastError = `: ${line.slice(0, 300)}`;
  return `${reason ?? `exit code ${exitCode}`}${lastError}`;
};
