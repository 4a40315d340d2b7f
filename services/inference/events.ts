// What inference listens to: a promoted or newly registered model may change what a name stands for.
import { randomUUID } from 'node:crypto';
import { readEvent, subjects } from '#lib/contracts/events.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import type { EventBus, Subscription } from '#lib/platform/event-bus.ts';
import type { ModelPool } from './model-pool.ts';

/** Every replica hears every promotion: each has a durable name of its own, and cares for what comes from now on. */
export const subscribePromotions = ({ events, pool }: { events: EventBus; pool: ModelPool }): Promise<Subscription> =>
  events.subscribe({
    durable: `inference-${randomUUID()}`,
    from: 'new',
    subjects: [subjects.modelPromoted, subjects.modelRegistered],
    handler: async (event) => {
      const moved = readEvent(subjects.modelPromoted, event) ?? readEvent(subjects.modelRegistered, event);
      if (!moved) throw invalidArgument('data', `${event.type} ${event.id} does not carry what the catalogue says`);
      await pool.refresh(moved.model.name);
    },
  });
