// Tells the other services how a run stands. An event's id follows from what it says, and the run keeps the id of the last one: what has been
// said is not said again, and what could not be said is said later.
import { createEvent, type StrataEvent, subjects } from '#lib/contracts/events.ts';
import type { EventBus } from '#lib/platform/event-bus.ts';
import type { Run } from './run.ts';
import type { RunStore } from './run-store.ts';

/** What is to be said about a run in its present state; undefined: nothing. */
export const announcementOf = (run: Run): StrataEvent | undefined => {
  const { id, labels, state, attempts, endTime } = run;
  const common = { source: 'trainer', about: id };
  switch (state.phase) {
    case 'running':
      return createEvent(subjects.runStarted, {
        ...common,
        id: `run.started/${id}/${attempts}`,
        data: { runId: id, attempt: attempts, labels },
      });
    case 'succeeded':
      return createEvent(subjects.runFinished, {
        ...common,
        id: `run.finished/${id}`,
        data: { runId: id, model: state.model, labels },
      });
    case 'failed':
      return createEvent(subjects.runFailed, {
        ...common,
        id: `run.failed/${id}/${endTime}`,
        data: { runId: id, error: state.error, labels },
      });
    case 'cancelled':
      return createEvent(subjects.runFailed, {
        ...common,
        id: `run.cancelled/${id}/${endTime}`,
        data: { runId: id, error: 'cancelled', cancelled: true, labels },
      });
    case 'pending':
    case 'cancelling':
      return undefined;
    default:
      return state satisfies never;
  }
};

export interface Announcer {
  announce(run: Run): Promise<void>;
  isAnnounced(run: Run): boolean;
}

export const createAnnouncer = (events: EventBus, runs: RunStore): Announcer => {
  const due = (run: Run): StrataEvent | undefined => {
    const event = announcementOf(run);
    return event?.id === run.announced ? undefined : event;
  };
  return {
    isAnnounced: (run) => due(run) === undefined,
    announce: async (run) => {
      const event = due(run);
      if (!event) return;
      await events.publish(event);
      await runs.update(run.id, (current) => ({ ...current, announced: event.id }));
    },
  };
};
