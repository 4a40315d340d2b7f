// The dead letters: a stream of our own, since JetStream only announces that it gave up. A letter's id is its sequence there.
import { JetStreamApiError, type JsMsg } from '@nats-io/jetstream';
import { notFound } from '../errors.ts';
import type { DeadLetter, StrataEvent } from '../event-bus.ts';
import { isWrongSequence } from './errors.ts';
import { snapshot } from './follow.ts';
import type { Link } from './link.ts';
import type { Names } from './names.ts';

type Stored = Omit<DeadLetter, 'id' | 'time'>;

export type DeadLetters = ReturnType<typeof createDeadLetters>;

export function createDeadLetters({ link, names }: { link: Link; names: Names }) {
  const stream = names.deadLetters;

  /** Publishes unless that subject has a message already: doing it twice is doing it once. */
  const publishOnce = (what: string, subject: string, data: string): Promise<void> =>
    link.persist(what, async () => {
      try {
        await link.js.publish(subject, data, { expect: { lastSubjectSequence: 0 } });
      } catch (error) {
        if (!isWrongSequence(error)) throw error;
      }
    });

  async function read(sequence: number): Promise<DeadLetter | undefined> {
    const message = await link.persist('reading a dead letter', () =>
      link.jsm.streams.getMessage(stream, { seq: sequence }),
    );
    return message ? { id: String(sequence), ...message.json<Stored>(), time: message.time.toISOString() } : undefined;
  }

  return {
    /** Returns once it is stored. Whoever buries it again, because the event came again, changes nothing. */
    bury(message: JsMsg, letter: Stored): Promise<void> {
      const token = `${message.seq}-${message.time.getTime()}`;
      return publishOnce('burying an event', names.dead(letter.durable, token), JSON.stringify(letter));
    },

    async list({ durable, limit = 100 }: { durable?: string; limit?: number } = {}): Promise<DeadLetter[]> {
      const all = await snapshot(link, { stream, filters: [names.deadOf(durable)], headersOnly: true });
      const newest = all.map(({ seq }) => seq).reverse();
      const letters = await Promise.all(newest.slice(0, limit).map(read));
      return letters.filter((letter) => letter !== undefined);
    },

    async count(durable: string): Promise<number> {
      const counting = () => link.jsm.streams.info(stream, { subjects_filter: names.deadOf(durable) });
      const { state } = await link.persist('counting dead letters', counting);
      return Object.keys(state.subjects ?? {}).length;
    },

    /** Delivers it anew, then removes it: whoever dies in between, or races with another, delivers it once all the same. */
    async replay(id: string): Promise<void> {
      const letter = /^[1-9]\d{0,15}$/.test(id) ? await read(Number(id)) : undefined;
      if (!letter) throw notFound('dead letter', id);
      const subject = names.replay(letter.durable, letter.event.type, id);
      await publishOnce('replaying a dead letter', subject, JSON.stringify(letter.event));
      await link.persist('removing a dead letter', () => removeMessage(link, stream, Number(id)));
    },
  };
}

const removeMessage = (link: Link, stream: string, sequence: number): Promise<unknown> =>
  link.jsm.streams.deleteMessage(stream, sequence).catch((error) => {
    // Somebody else removed it.
    if (!(error instanceof JetStreamApiError) || error.status === 503) throw error;
  });

const longestText = 64 * 1024;

/** The event of a message; where it holds none, what is there instead, for people. */
export function readMessage(message: JsMsg, type: string): { event: StrataEvent; isEvent: boolean } {
  try {
    const event = message.json<StrataEvent>();
    if (typeof event.id === 'string' && event.type === type) return { event, isEvent: true };
  } catch {
    // No JSON; said below.
  }
  return { event: strangeEvent(message, type), isEvent: false };
}

const strangeEvent = (message: JsMsg, type: string): StrataEvent => ({
  specversion: '1.0',
  id: `message/${message.seq}`,
  source: 'strata/unknown',
  type,
  time: message.time.toISOString(),
  datacontenttype: 'application/json',
  data: { text: message.string().slice(0, longestText) },
});
