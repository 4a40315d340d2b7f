// A subscription's consumer on the server: made, brought up to date, made again when the server has lost it.
//
// A durable name's subjects are kept in its metadata with the sequence from which each counts: JetStream itself would hand out what was
// published before a subject was added.
import { AckPolicy, type Consumer, type ConsumerConfig, type ConsumerInfo, DeliverPolicy } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { subjectMatches } from '../event-bus.ts';
import { apiCodes, hasApiCode } from './errors.ts';
import { lastSequence } from './follow.ts';
import type { Link } from './link.ts';
import type { Names } from './names.ts';

export interface Member {
  /** The consumer's name on the server. */
  durable: string;
  /** Forgotten with its process. */
  isPassing: boolean;
  subjects: string[];
  ackWaitMs: number;
  from: 'all' | 'new';
}

/** Subject -> the sequence after which it counts. */
type Since = Record<string, number>;

const metadataKey = 'strata-subjects';

/** A passing consumer whose process has been silent for so long is forgotten. */
const passingMs = 60_000;

/** Joins the consumer, which is made if it is not there: with what comes after `position`, where one is known. */
export async function join(link: Link, names: Names, member: Member, position?: number): Promise<Consumer> {
  const { durable } = member;
  const known = await findConsumer(link, names, durable);
  const info = known
    ? await bringUpToDate(link, names, member, known)
    : await link.jsm.consumers.add(names.events, newConsumer(names, member, position)).catch((error) => {
        // Another process made it a moment ago.
        if (hasApiCode(error, apiCodes.consumerExistsOtherwise)) return undefined;
        throw error;
      });
  return info ? link.js.consumers.getConsumerFromInfo(info) : join(link, names, member, position);
}

const findConsumer = (link: Link, names: Names, durable: string): Promise<ConsumerInfo | undefined> =>
  link.jsm.consumers.info(names.events, durable).catch((error) => {
    if (hasApiCode(error, apiCodes.consumerNotFound)) return undefined;
    throw error;
  });

/** Events that a durable name has still to take, or has taken and not settled; 0 for an unknown one. */
export async function countWaiting(link: Link, names: Names, durable: string): Promise<number> {
  const info = await findConsumer(link, names, durable);
  return info ? info.num_pending + info.num_ack_pending : 0;
}

function newConsumer(names: Names, member: Member, position: number | undefined): Partial<ConsumerConfig> {
  const { durable, isPassing, subjects, ackWaitMs, from } = member;
  const fromSequence = { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: (position ?? 0) + 1 };
  const fromNow = { deliver_policy: DeliverPolicy.New };
  return {
    ...(isPassing
      ? { name: durable, inactive_threshold: nanos(passingMs), num_replicas: 1 }
      : { durable_name: durable }),
    ...(position !== undefined ? fromSequence : from === 'all' ? { deliver_policy: DeliverPolicy.All } : fromNow),
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ackWaitMs),
    // Our own limit: whoever gets one delivery too many writes the dead letter.
    max_deliver: -1,
    // Events that wait for their next attempt count here, and must not hold up the others.
    max_ack_pending: 10_000,
    filter_subjects: names.filters(durable, subjects),
    metadata: { [metadataKey]: JSON.stringify(Object.fromEntries(subjects.map((subject) => [subject, 0]))) },
  };
}

async function bringUpToDate(
  link: Link,
  names: Names,
  { durable, subjects, ackWaitMs }: Member,
  info: ConsumerInfo,
): Promise<ConsumerInfo> {
  const known = sinceOf(info);
  const isSame = subjects.length === Object.keys(known).length && subjects.every((subject) => subject in known);
  if (isSame && info.config.ack_wait === nanos(ackWaitMs)) return info;
  const now = await lastSequence(link, names.events);
  const since: Since = Object.fromEntries(subjects.map((subject) => [subject, known[subject] ?? now]));
  return link.jsm.consumers.update(names.events, durable, {
    ack_wait: nanos(ackWaitMs),
    filter_subjects: names.filters(durable, subjects),
    metadata: { ...info.config.metadata, [metadataKey]: JSON.stringify(since) },
  });
}

const sinceOf = ({ config }: ConsumerInfo): Since => JSON.parse(config.metadata?.[metadataKey] ?? '{}') as Since;

/** Whether the consumer, as it is known here, wants the event for one of `subjects`; absent: for any of its own. */
export function wants(
  info: ConsumerInfo,
  { type, sequence }: { type: string; sequence: number },
  subjects?: readonly string[],
): boolean {
  const since = sinceOf(info);
  return (subjects ?? Object.keys(since)).some(
    (subject) => sequence > (since[subject] ?? Infinity) && subjectMatches(subject, type),
  );
}
