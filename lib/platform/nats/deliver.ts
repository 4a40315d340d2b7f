// One delivery: the handler, the heartbeat while it runs, and what becomes of the event. Every answer to the server is confirmed by it.
import type { Consumer, JsMsg } from '@nats-io/jetstream';
import { AppError } from '../errors.ts';
import type { StrataEvent, SubscribeOptions } from '../event-bus.ts';
import { defaultMaxDeliver, failureOf, reasonOf, survivedByNobody } from '../event-rules.ts';
import type { Logger } from '../log.ts';
import { type DeadLetters, readMessage } from './dead-letters.ts';
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
/** How long a stopping subscription tries to give an event back; otherwise that takes the time to be missed. */
const releaseMs = 2000;

/** Never throws: an event whose outcome could not be stored comes again. */
export async function deliver(deliverer: Deliverer, consumer: Consumer, message: JsMsg, signal: AbortSignal) {
  const { names, log, member } = deliverer;
  const { type, isReplay } = names.readSubject(message.subject);
  const { event, isEvent } = readMessage(message, type);
  const facts = { durable: member.durable, attempt: message.info.deliveryCount, event: event.id, type };
  try {
    // It arrived as the subscription stopped.
    if (signal.aborted) return await settle(deliverer, message, '-NAK', releaseMs);
    const wanted = isReplay || (await isWanted(deliverer, consumer, message, type));
    if (wanted === 'later') await settle(deliverer, message, nak(foreignRetryMs));
    else if (!wanted) await settle(deliverer, message, '+ACK');
    else if (isEvent) await handle({ ...deliverer, log: log?.child(facts) }, message, event, signal);
    else await bury(deliverer, message, event, new AppError('INVALID_ARGUMENT', 'the message is no event in JSON'));
  } catch (error) {
    log?.warn({ ...facts, error }, 'what became of an event could not be stored; it comes again');
  }
}

/** Another process may have changed the subjects of this durable name: what is not ours may be theirs. */
async function isWanted(
  { link, member }: Deliverer,
  consumer: Consumer,
  message: JsMsg,
  type: string,
): Promise<boolean | 'later'> {
  const event = { type, sequence: message.seq };
  if (wants(await consumer.info(true), event, member.subjects)) return true;
  const now = await link.persist('reading a subscription', () => consumer.info());
  return wants(now, event) ? 'later' : false;
}

async function handle(deliverer: Deliverer, message: JsMsg, event: StrataEvent, signal: AbortSignal): Promise<void> {
  const { member, options } = deliverer;
  const { maxDeliver = defaultMaxDeliver, handler } = options;
  const attempt = message.info.deliveryCount;
  if (attempt > maxDeliver) return bury(deliverer, message, event, survivedByNobody(maxDeliver));
  const heartbeat = setInterval(() => message.working(), member.ackWaitMs / 3);
  try {
    const failed = await handler(event, { attempt, signal }).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    if (failed) await settleFailure(deliverer, message, event, failed.error, signal);
    else await settle(deliverer, message, '+ACK');
  } finally {
    clearInterval(heartbeat);
  }
}

async function settleFailure(
  deliverer: Deliverer,
  message: JsMsg,
  event: StrataEvent,
  error: unknown,
  signal: AbortSignal,
): Promise<void> {
  const failure = failureOf(error, message.info.deliveryCount, signal, deliverer.options);
  switch (failure.kind) {
    case 'release':
      return settle(deliverer, message, '-NAK', releaseMs);
    case 'retry':
      deliverer.log?.warn({ error, retryInMs: failure.inMs }, 'event not handled; it comes again');
      return settle(deliverer, message, nak(failure.inMs));
    case 'bury':
      return bury(deliverer, message, event, error);
    default:
      failure satisfies never;
  }
}

/** The letter is stored before the event is let go: whatever dies in between, it is in one place at least. */
async function bury(deliverer: Deliverer, message: JsMsg, event: StrataEvent, error: unknown): Promise<void> {
  const { letters, member, log } = deliverer;
  const attempts = message.info.deliveryCount;
  await letters.bury(message, { durable: member.durable, event, reason: reasonOf(error), attempts });
  log?.error({ error }, 'event not handled; it is a dead letter');
  await settle(deliverer, message, '+TERM');
}

const nak = (delayMs: number): string => `-NAK {"delay":${Math.round(delayMs * 1e6)}}`;

const settle = async ({ link }: Deliverer, message: JsMsg, answer: string, patienceMs?: number): Promise<void> => {
  const options = patienceMs === undefined ? {} : { patienceMs };
  // Its own `ack()` waits for no confirmation, and `ackAck()` cannot be repeated.
  const { reply } = message as JsMsg & { reply: string };
  await link.persist('settling an event', () => link.nc.request(reply, answer, { timeout: 5000 }), options);
};
