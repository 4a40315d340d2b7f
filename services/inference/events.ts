// What inference listens to: a promoted or newly registered model may change what a name stands for.
import { readEvent, subjects } from '#lib/contracts/events.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import type { EventBus, Subscription } from '#lib/platform/event-bus.ts';
import type { ModelPool } from './model-pool.ts';

/** Every replica hears every promotion, and cares for what comes from now on: what it loads later, it asks the registry for. */
export const subscribePromotions = ({ events, pool }: { events: EventBus; pool: ModelPool }): Promise<Subscription> =>
  events.subscribe({
    subjects: [subjects.modelPromoted, subjects.modelRegistered],
    handler: async (event) => {
      const moved = readEvent(subjects.modelPromoted, event) ?? readEvent(subjects.modelRegistered, event);
      if (!moved) throw invalidArgument('data', `${event.type} ${event.id} does not carry what the catalogue says`);
      await pool.refresh(moved.model.name);
    },
  });
