// What a worker tells while it trains: metrics into their log and the run's record about once a second, an event now and then.
import { createEvent, subjects } from '#lib/contracts/events.ts';
import type { MetricPoint } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { objectKeys } from '#lib/contracts/keys.ts';
import type { EventBus } from '#lib/platform/event-bus.ts';
import type { MetricLog } from '../metric-log.ts';
import type { Run } from '../run.ts';
import type { Claim } from './claim.ts';

export interface Report {
  /** Keeps the point; writes what has gathered when a second has passed. */
  add(point: MetricPoint): Promise<void>;
  /** Writes everything now: before a checkpoint, so that no step before it can lose its point. */
  flush(): Promise<void>;
  checkpointSaved(step: number): Promise<void>;
}

export interface ReportOptions {
  run: Run;
  claim: Claim;
  metrics: MetricLog;
  events: EventBus;
  maxSteps: number;
  everyMs?: number;
  eventEveryMs?: number;
}

export const createReport = (options: ReportOptions): Report => {
  const { run, claim, metrics, events, maxSteps, everyMs = 1000, eventEveryMs = 10_000 } = options;
  const { id, labels } = run;
  let waiting: MetricPoint[] = [];
  let writtenAt = 0;
  let saidAt = 0;

  const progressed = async ({ step, loss }: MetricPoint): Promise<void> => {
    saidAt = Date.now();
    const data = { runId: id, step, totalSteps: maxSteps, loss, labels };
    const event = createEvent(subjects.runProgressed, {
      id: `run.progressed/${id}/${step}`,
      source: 'trainer',
      about: id,
      data,
    });
    await events.publish(event);
  };

  const flush = async (): Promise<void> => {
    const last = waiting.at(-1);
    if (!last) return;
    await metrics.write(id, waiting);
    await claim.update((current) => ({ ...current, lastMetrics: last }));
    waiting = [];
    writtenAt = Date.now();
    if (Date.now() - saidAt >= eventEveryMs) await progressed(last);
  };

  return {
    flush,
    async add(point) {
      waiting.push(point);
      if (Date.now() - writtenAt >= everyMs) await flush();
    },
    async checkpointSaved(step) {
      await claim.update((current) => ({ ...current, checkpointStep: step, deaths: 0 }));
      const data = { runId: id, step, prefix: objectKeys.checkpoint(id, step) };
      const event = createEvent(subjects.checkpointSaved, {
        id: `checkpoint.saved/${id}/${step}`,
        source: 'trainer',
        about: id,
        data,
      });
      await events.publish(event);
    },
  };
};
