// One delivery: the handler, the heartbeat while it runs, and what becomes of the event. Every answer to the server is confirmed by it.
import type { Consumer, JsMsg } from '@nats-io/jetstream';
import { AppError } from '../errors.ts';
import type { StrataEvent, SubscribeOptions } from '../event-bus.ts';
import { defaultMaxDeliver, failureOf, reasonOf, survivedByNobody } from '../event-rules.ts';
import type { Logger } from '../log.ts';
import { type DeadLetters, readMessage } from './dead-letters.ts';
import { isNoResponders } from './errors.ts';
import type { Link } from './link.ts';
import { type Member, wants } from './membership.ts';
import type { Names } from './names.ts';

export interface Deliverer {
  link: Link;
  names: Names;
  letters: DeadLetters;
  log: Logger | undefined;
  member: Member;
  options: SubscribeOptions;
}

/** An event for a newer version of this consumer, which is being rolled out: it comes again after so long. */
const foreignRetryMs = 5000;
/** How long a confirmation of the server may take, and how long a consumer may be away. */
const confirmMs = 1000;
const goneMs = 3000;

/** One event in our hands. */
interface Given extends Deliverer {
  consumer: Consumer;
  message: JsMsg;
  type: string;
  event: StrataEvent;
  attempt: number;
  signal: AbortSignal;
}

/** Never throws: an event whose outcome could not be stored comes again. */
export async function deliver(
  deliverer: Deliverer,
  { consumer, message, signal }: { consumer: Consumer; message: JsMsg; signal: AbortSignal },
): Promise<void> {
  const { type, isReplay } = deliverer.names.readSubject(message.subject);
  const { event, isEvent } = readMessage(message, type);
  const attempt = message.info.deliveryCount;
  const log = deliverer.log?.child({ durable: deliverer.member.durable, attempt, event: event.id, type });
  const given: Given = { ...deliverer, log, consumer, message, type, event, attempt, signal };
  try {
    // It arrived as the subscription stopped.
    if (signal.aborted) return await settle(given, '-NAK');
    const wanted = isReplay || (await isWanted(given));
    if (wanted === 'later') await settle(given, nak(foreignRetryMs));
    else if (!wanted) await settle(given, '+ACK');
    else if (isEvent) await handle(given);
    else await bury(given, new AppError('INVALID_ARGUMENT', 'the message is no event in JSON'));
  } catch (error) {
    log?.warn({ error }, 'what became of an event could not be stored; it comes again');
  }
}

/** Another process may have changed the subjects of this durable name: what is not ours may be theirs. */
async function isWanted({ link, member, consumer, message, type }: Given): Promise<boolean | 'later'> {
  const event = { type, sequence: message.seq };
  if (wants(await consumer.info(true), event, member.subjects)) return true;
  const now = await link.persist('reading a subscription', () => consumer.info());
  return wants(now, event) ? 'later' : false;
}

async function handle(given: Given): Promise<void> {
  const { member, options, message, event, attempt, signal } = given;
  const { maxDeliver = defaultMaxDeliver, handler } = options;
  if (attempt > maxDeliver) return bury(given, survivedByNobody(maxDeliver));
  const heartbeat = setInterval(() => message.working(), member.ackWaitMs / 3);
  try {
    const failed = await failureIn(() => handler(event, { attempt, signal }));
    if (failed) await settleFailure(given, failed.error);
    else await settle(given, '+ACK');
  } finally {
    clearInterval(heartbeat);
  }
}

async function failureIn(run: () => Promise<void>): Promise<{ error: unknown } | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    return { error };
  }
}

async function settleFailure(given: Given, error: unknown): Promise<void> {
  const failure = failureOf(error, given.attempt, given.signal, given.options);
  switch (failure.kind) {
    case 'release':
      return settle(given, '-NAK');
    case 'retry':
      given.log?.warn({ error, retryInMs: failure.inMs }, 'event not handled; it comes again');
      return settle(given, nak(failure.inMs));
    case 'bury':
      return bury(given, error);
    default:
      failure satisfies never;
  }
}

/** The letter is stored before the event is let go: whatever dies in between, it is in one place at least. */
async function bury(given: Given, error: unknown): Promise<void> {
  const { letters, member, message, event, attempt: attempts, log } = given;
  await letters.bury(message, { durable: member.durable, event, reason: reasonOf(error), attempts });
  log?.error({ error }, 'event not handled; it is a dead letter');
  await settle(given, '+TERM');
}

const nak = (delayMs: number): string => `-NAK {"delay":${Math.round(delayMs * 1e6)}}`;

/** A subscription that stops while the server is away does not wait for it: the event comes again. */
async function settle({ link, message, signal }: Given, answer: string): Promise<void> {
  // Its own `ack()` waits for no confirmation, and `ackAck()` cannot be repeated.
  const { reply } = message as JsMsg & { reply: string };
  let goneSince: number | undefined;
  const attempt = async (): Promise<void> => {
    try {
      await link.nc.request(reply, answer, { timeout: confirmMs });
    } catch (error) {
      // The server is silent about what it has settled already (an earlier confirmation was lost), and about what it forgot to have handed
      // out when it was killed: that comes again.
      if ((error as Error).name === 'TimeoutError') return;
      // Nobody there: the consumer comes back with its server, or is gone with all it had handed out.
      if (!isNoResponders(error)) throw error;
      goneSince ??= Date.now();
      if (Date.now() - goneSince < goneMs) throw error;
    }
  };
  await link.persist('settling an event', attempt, { signal });
}
