// Keeps runs and jobs in step: starts a worker for a run that waits, notices a worker that ended before its run, and tells the others how runs stand.
// Everything it does follows from the stored run and its job, so it may itself die and start anew at any moment, and several may run at once.
import { setTimeout as delay } from 'node:timers/promises';
import { hasEnded, type Job, type JobRunner } from '#lib/platform/job-runner.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { Announcer } from './announce.ts';
import { buryWorker, type DeathPolicy, isOver, moveRun, type Run, restartRun } from './run.ts';
import type { RunStore } from './run-store.ts';
import { exitCodes, jobNameOf, workerEntry, workVariables } from './worker-protocol.ts';

export interface SupervisorOptions extends DeathPolicy {
  runs: RunStore;
  jobs: JobRunner;
  announcer: Announcer;
  log: Logger;
  /** Environment of every worker, beside what every job gets: the addresses of the services it calls. */
  workerEnv: Record<string, string>;
  /** How long a worker has for its last checkpoint when its run is cancelled. */
  cancelGraceMs: number;
  pollMs?: number;
}

export interface Supervisor {
  /** Jobs go on; the next supervisor adopts them. */
  stop(): Promise<void>;
}

/** After a look that failed (a full disk, a broker that is away). */
const retryMs = 2000;

export const startSupervisor = (options: SupervisorOptions): Supervisor => {
  const { runs, announcer, log, pollMs = 250 } = options;
  const stopping = new AbortController();
  const open = new Set<string>();
  const visits = new Map<string, Promise<void>>();
  const reconcile = createReconciler(options);

  const visit = (id: string): void => {
    if (visits.has(id) || stopping.signal.aborted) return;
    const done = reconcile(id)
      .catch(async (error) => {
        log.warn({ run: id, error }, 'the run cannot be looked after for now');
        await delay(retryMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      })
      .finally(() => visits.delete(id));
    visits.set(id, done);
  };
  const follow = async (): Promise<void> => {
    for await (const run of runs.watchAll(stopping.signal)) {
      if (isOver(run) && announcer.isAnnounced(run)) open.delete(run.id);
      else open.add(run.id);
      visit(run.id);
    }
  };
  const poll = async (): Promise<void> => {
    for (;;) {
      await delay(pollMs, undefined, { signal: stopping.signal });
      for (const id of open) visit(id);
    }
  };

  const loops = [follow(), poll()].map((loop) =>
    loop.catch((error) => stopping.signal.aborted || log.error({ error }, 'the supervisor ended')),
  );
  const stop = async (): Promise<void> => {
    stopping.abort();
    await Promise.all([...loops, ...visits.values()]);
  };
  return { stop };
};

/** One look at one run: does whatever its state and its job call for. */
const createReconciler = (options: SupervisorOptions) => {
  const { runs, jobs, announcer, log, workerEnv, cancelGraceMs } = options;
  const cancels = new Set<string>();

  const startJob = async (run: Run, job: string): Promise<void> => {
    const variables = { [workVariables.runId]: run.id, [workVariables.attempt]: String(run.attempts) };
    const profile = run.spec.device;
    await jobs.start({
      name: job,
      entry: workerEntry,
      env: { ...workerEnv, ...variables },
      ...(profile && { profile }),
    });
    log.info({ run: run.id, job }, 'worker started');
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
    if (!hasEnded(job)) return;
    const reason = await reasonOf(job, jobs);
    const next = await runs.update(run.id, (current) =>
      current.state.phase === 'running' && current.state.job === name
        ? afterWorker(current, { job, reason, policy: options })
        : undefined,
    );
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

  return async (id: string): Promise<void> => {
    const run = await runs.get(id);
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
};

interface EndedWorker {
  job: Job;
  reason: string;
  policy: DeathPolicy;
}

/** What becomes of a run whose worker has ended before it. */
const afterWorker = (run: Run, { job, reason, policy }: EndedWorker): Run => {
  const now = new Date();
  if (job.exitCode === exitCodes.interrupted) return restartRun(run, { reason: 'interrupted', now });
  return buryWorker(run, run.workerError || reason, policy, now);
};

/** How a job ended, and where it ended by itself, the error it left in its log. */
const reasonOf = async ({ name, reason, exitCode }: Job, jobs: JobRunner): Promise<string> => {
  let lastError = '';
  if (exitCode)
    for await (const line of jobs.logs(name)) if (/^\S*Error\b/.test(line)) lastError = `: ${line.slice(0, 300)}`;
  return `${reason ?? `exit code ${exitCode}`}${lastError}`;
};
