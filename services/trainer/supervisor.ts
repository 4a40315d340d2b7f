// Watches over every run that is not over, or whose end has not been told: looks at it whenever it changes, and at its job every now and then.
// It remembers nothing, so it may die and start anew at any moment, and several may run at once.
import { setTimeout as delay } from 'node:timers/promises';
import { keepRunning } from '#lib/platform/keep-running.ts';
import { createReconciler, type ReconcileOptions } from './reconcile.ts';
import { isOver } from './run.ts';

export interface SupervisorOptions extends ReconcileOptions {
  /** How often the jobs of open runs are looked at; changes of runs are seen at once. */
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

  const onFailure = (error: unknown): void => log.error({ error }, 'the supervisor cannot see the runs for now');
  const loops = [follow, poll].map((loop) =>
    keepRunning(loop, { signal: stopping.signal, onFailure, pauseMs: retryMs }),
  );
  const stop = async (): Promise<void> => {
    stopping.abort();
    await Promise.all([...loops, ...visits.values()]);
  };
  return { stop };
};
