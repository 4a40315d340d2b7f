// Reading a stream without acknowledging: what it holds now (`snapshot`), and that and all that comes (`follow`).
// The server forgets the consumer behind it (a restart, a pause of a minute), messages are lost with a connection: each time a new one goes on
// after the last message that was seen. So a reader misses nothing and is never silently deaf.
import { setTimeout as delay } from 'node:timers/promises';
import { AckPolicy, type Consumer, type ConsumerConfig, DeliverPolicy, type JsMsg } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { isAppError } from '../errors.ts';
import { ConnectionLost } from './errors.ts';
import type { Link } from './link.ts';

export interface FollowOptions {
  stream: string;
  filters: string[];
  /** Begin after this sequence; absent: with the last message of each subject. */
  after?: number | undefined;
  signal: AbortSignal;
}

const batch = 64;
/** Two of them missed: the server is silent. */
const heartbeatMs = 3000;

export async function* follow(link: Link, { stream, filters, after, signal }: FollowOptions): AsyncGenerator<JsMsg> {
  let seen = after;
  while (!signal.aborted) {
    try {
      if (seen !== undefined) seen = await stillAfter(link, stream, seen, signal);
      for await (const message of session(link, stream, { filters, after: seen, signal })) {
        seen = message.seq;
        yield message;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isAppError(error)) throw error;
      await delay(100);
    }
  }
}

/** The stream's last sequence: whatever is written from now on comes after it. */
export const lastSequence = async (link: Link, stream: string, signal?: AbortSignal): Promise<number> => {
  const options = signal ? { patienceMs: Infinity, signal } : {};
  return (await link.persist('reading a stream', () => link.jsm.streams.info(stream), options)).state.last_seq;
};

/** Where to go on after `sequence`: a stream that was emptied, or lost with its server's disk, counts from one again. */
export const stillAfter = async (
  link: Link,
  stream: string,
  sequence: number,
  signal?: AbortSignal,
): Promise<number> => ((await lastSequence(link, stream, signal)) < sequence ? 0 : sequence);

/** One consumer's life: ends when a message was missed, the connection broke, or the signal aborts. */
async function* session(link: Link, stream: string, { filters, after, signal }: Omit<FollowOptions, 'stream'>) {
  const over = new AbortController();
  const end = (): void => over.abort();
  const forget = link.onReconnect(end);
  signal.addEventListener('abort', end);
  let consumer: Consumer | undefined;
  try {
    const start = { ...reading(filters), ...startAfter(after) };
    consumer = await createReader(link, stream, start, { patienceMs: Infinity, signal });
    yield* inSequence(link, consumer, over.signal);
  } finally {
    forget();
    signal.removeEventListener('abort', end);
    void consumer?.delete().catch(() => undefined);
  }
}

async function* inSequence(link: Link, consumer: Consumer, signal: AbortSignal): AsyncGenerator<JsMsg> {
  let delivered = 0;
  while (!signal.aborted) {
    for await (const message of fetchSome(link, consumer, { count: batch, signal })) {
      if (message.info.deliverySequence !== ++delivered) return;
      yield message;
    }
  }
}

/**
 * Up to `count` messages as they come, for at most half a minute, and not beyond a reconnection: the client's own way of asking again waits
 * for that half minute when the connection breaks twice. Throws when the server is silent or has forgotten the consumer.
 */
export async function* fetchSome(
  link: Link,
  consumer: Consumer,
  { count, signal }: { count: number; signal: AbortSignal },
): AsyncGenerator<JsMsg> {
  const messages = await consumer.fetch({ max_messages: count, expires: 30_000, idle_heartbeat: heartbeatMs });
  const stop = (): void => void messages.close();
  const forget = link.onReconnect(stop);
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    yield* messages;
  } finally {
    forget();
    signal.removeEventListener('abort', stop);
  }
}

export interface SnapshotOptions {
  stream: string;
  filters: string[];
  /** Of each subject the last message only. */
  lastOnly?: boolean;
  /** Without their data. */
  headersOnly?: boolean;
}

/** The messages that are there now, oldest first. */
export const snapshot = (link: Link, options: SnapshotOptions): Promise<JsMsg[]> =>
  link.persist('reading a stream', () => readAll(link, options));

async function readAll(link: Link, { stream, filters, lastOnly = false, headersOnly = false }: SnapshotOptions) {
  const start = lastOnly ? startAfter(undefined) : startAfter(0);
  const consumer = await createReader(link, stream, { ...reading(filters), ...start, headers_only: headersOnly });
  const found: JsMsg[] = [];
  try {
    const { num_pending } = await consumer.info(true);
    if (num_pending === 0) return found;
    for await (const message of inSequence(link, consumer, new AbortController().signal)) {
      found.push(message);
      if (message.info.pending === 0) return found;
    }
    throw new ConnectionLost('messages were lost on the way');
  } finally {
    void consumer.delete().catch(() => undefined);
  }
}

const reading = (filters: string[]): Partial<ConsumerConfig> => ({
  ack_policy: AckPolicy.None,
  filter_subjects: filters,
  mem_storage: true,
  num_replicas: 1,
  inactive_threshold: nanos(60_000),
});

const startAfter = (sequence: number | undefined): Partial<ConsumerConfig> =>
  sequence === undefined
    ? { deliver_policy: DeliverPolicy.LastPerSubject }
    : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: sequence + 1 };

async function createReader(
  link: Link,
  stream: string,
  config: Partial<ConsumerConfig>,
  options?: { patienceMs: number; signal: AbortSignal },
): Promise<Consumer> {
  const info = await link.persist('reading a stream', () => link.jsm.consumers.add(stream, config), options);
  return link.js.consumers.getConsumerFromInfo(info);
}
