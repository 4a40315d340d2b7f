// The dead letters for people: what no consumer could handle, and another try for it.
import type {
  DeadLetter as DeadLetterMessage,
  OrchestratorServiceImplementation,
} from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { check } from '#lib/platform/check.ts';
import type { DeadLetter, EventBus } from '#lib/platform/event-bus.ts';

const defaultLimit = 100;
const largestLimit = 1000;
const longestEvent = 4096;

type DeadLetterRpcs = Pick<OrchestratorServiceImplementation, 'listDeadLetters' | 'replayDeadLetter'>;

export const createDeadLetterRpcs = (events: EventBus): DeadLetterRpcs => ({
  async listDeadLetters({ durable, limit }) {
    check({ limit: limit > largestLimit && `must be at most ${largestLimit}` });
    const letters = await events.deadLetters({ ...(durable && { durable }), limit: limit || defaultLimit });
    return { deadLetters: letters.map(toMessage) };
  },

  async replayDeadLetter({ deadLetterId }) {
    check({ dead_letter_id: !deadLetterId && 'is required' });
    await events.replay(deadLetterId);
    return {};
  },
});

const toMessage = ({ id, durable, reason, attempts, time, event }: DeadLetter): DeadLetterMessage => ({
  id,
  durable,
  reason,
  attempts,
  time,
  eventId: event.id,
  eventType: event.type,
  event: JSON.stringify(event).slice(0, longestEvent),
});
