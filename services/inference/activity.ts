// Tells the others that inference is in use: whoever scales it to zero leaves it alone meanwhile. Written now and then while models are lent.
import { type ActivityOptions, createActivity } from '#lib/platform/activity.ts';
import type { ModelPool } from './model-pool.ts';

/** `everyMs`: default 10 s. */
export type ReportOptions = Omit<ActivityOptions, 'everyMs'> & Partial<Pick<ActivityOptions, 'everyMs'>>;

export interface ActivityReport {
  /** The pool, whose leases count as use. */
  over(pool: ModelPool): ModelPool;
  stop(): void;
}

export function reportActivity({ everyMs = 10_000, ...options }: ReportOptions): ActivityReport {
  const write = createActivity('inference', { ...options, everyMs });
  let users = 0;
  // For what lasts: a long answer writes as it goes.
  const timer = setInterval(() => void (users > 0 && write()), everyMs).unref();

  return {
    over: (pool) => ({
      ...pool,
      async take(ref, signal) {
        const lease = await pool.take(ref, signal);
        users += 1;
        void write();
        return {
          model: lease.model,
          [Symbol.dispose]: () => {
            users -= 1;
            lease[Symbol.dispose]();
          },
        };
      },
    }),
    stop: () => clearInterval(timer),
  };
}
