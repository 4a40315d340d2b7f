// Tells the others that inference is in use: whoever scales it to zero leaves it alone meanwhile. Written now and then while models are lent.
import { type Activity, keys } from '#lib/contracts/keys.ts';
import type { KeyValue } from '#lib/platform/key-value.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { ModelPool } from './model-pool.ts';

export interface ActivityOptions {
  state: KeyValue;
  log: Logger;
  /** Between two writes. Default 10 s. */
  everyMs?: number;
}

export interface ActivityReport {
  /** The pool, whose leases count as use. */
  over(pool: ModelPool): ModelPool;
  stop(): void;
}

export function reportActivity({ state, log, everyMs = 10_000 }: ActivityOptions): ActivityReport {
  let users = 0;
  let lastWrite = 0;
  const write = (): void => {
    if (Date.now() - lastWrite < everyMs) return;
    lastWrite = Date.now();
    const activity: Activity = { wantedAt: new Date(lastWrite).toISOString() };
    void state
      .put(keys.activity('inference'), activity)
      .catch((error) => log.warn({ error }, 'the activity cannot be written for now'));
  };
  // For what lasts: a long answer writes as it goes.
  const timer = setInterval(() => users > 0 && write(), everyMs).unref();

  return {
    over: (pool) => ({
      ...pool,
      async take(ref, signal) {
        const lease = await pool.take(ref, signal);
        users += 1;
        write();
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
