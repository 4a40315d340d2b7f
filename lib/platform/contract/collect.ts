// A consumer of the contract suite that collects what it is given.
import { setTimeout as delay } from 'node:timers/promises';
import type { EventBus, SubscribeOptions } from '../event-bus.ts';

type Options = Partial<SubscribeOptions>;

/** Subscribes and collects ids; `until` waits for so many. */
export async function collect(events: EventBus, options: Options = {}) {
  const ids: string[] = [];
  const attempts: number[] = [];
  const { handler, ...rest } = options;
  const subscription = await events.subscribe({
    durable: 'collector',
    subjects: ['strata.test.>'],
    backoffMs: [10],
    ...rest,
    handler: async (event, delivery) => {
      ids.push(event.id);
      attempts.push(delivery.attempt);
      await handler?.(event, delivery);
    },
  });
  const until = async (count: number, timeoutMs = 10_000): Promise<string[]> => {
    for (const end = Date.now() + timeoutMs; ids.length < count; await delay(5)) {
      if (Date.now() > end) throw new Error(`${ids.length} of ${count} events after ${timeoutMs} ms: ${ids}`);
    }
    return ids;
  };
  return { ids, attempts, until, stop: subscription.stop };
}

/** The ids of events numbered in a row, both ends included. */
export const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => String(from + i));
