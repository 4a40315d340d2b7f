// The seam for events: durable, at least once, with dead letters. Embedded: SQLite. Cluster: NATS JetStream.
// An event's `type` is its subject (`strata.dataset.committed`). The catalogue of types is lib/contracts/events.ts.

import type { StrataEvent } from '#lib/contracts/events.ts';

export type { StrataEvent };

export interface Delivery {
  /** 1 on the first delivery of this event to this durable name. */
  attempt: number;
  /** Aborts when the subscription stops. */
  signal: AbortSignal;
}

export interface SubscribeOptions {
  /**
   * Names the subscription: it survives restarts, and consumers of one name share its events. Letters, digits, `-` and `_`.
   * Absent: the subscription is this process's alone, begins with the next event, and is forgotten when it stops or its process dies.
   */
  durable?: string | undefined;
  /** Subjects; `*` stands for one token, a last `>` for one or more. A known durable name takes a change of them from then on. */
  subjects: string[];
  /**
   * Returning acknowledges. Throwing UNAVAILABLE, ABORTED, or anything that is not an AppError, retries after a delay, up to maxDeliver;
   * any other AppError, or the last failure, moves the event to the dead letters. An abort gives the event back
   * (in a cluster it may count as a delivery).
   */
  handler: (event: StrataEvent, delivery: Delivery) => Promise<void>;
  /** Deliveries before an event counts as poison. Default 5. */
  maxDeliver?: number;
  /** Delay before the second, third, … delivery; the last one repeats. Default 0.2 s, 1 s, 5 s, 30 s. */
  backoffMs?: number[];
  /** A consumer that is silent for so long is taken for dead and its event delivered anew; a handler that still runs is not silent. Default 30 s. */
  ackWaitMs?: number;
  /** Handlers at once. Default 1. */
  concurrency?: number;
  /** Where a new durable name begins: with every event that is kept, or with the next one. Default `all`. */
  from?: 'all' | 'new';
}

export interface Subscription {
  /** Takes no more events, aborts `delivery.signal`, waits for handlers. A durable name stays. */
  stop(): Promise<void>;
}

export interface DeadLetter {
  id: string;
  durable: string;
  event: StrataEvent;
  /** Why: the error's code and message. */
  reason: string;
  attempts: number;
  time: string;
}

export interface EventBus {
  /** Returns once the event is stored; at most 1 MB (10^6 bytes) of JSON. Events of one publisher are delivered in order, as long as nothing is retried. */
  publish(event: StrataEvent): Promise<void>;
  subscribe(options: SubscribeOptions): Promise<Subscription>;
  /** Newest first. */
  deadLetters(options?: { durable?: string; limit?: number }): Promise<DeadLetter[]>;
  /** How many events a durable name has still to handle. */
  waiting(durable: string): Promise<number>;
  /** How many dead letters it has. */
  buried(durable: string): Promise<number>;
  /** Delivers a dead letter anew (at least to the durable that failed) and removes it. NOT_FOUND for an unknown id. */
  replay(deadLetterId: string): Promise<void>;
  /** Forgets every event and dead letter, as if none had ever been published. Durable names stay. For restoring a backup. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** NATS's rules: tokens between dots, `*` for one, a last `>` for the rest. */
export function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const tokens = subject.split('.');
  if (wanted.at(-1) === '>') {
    return tokens.length >= wanted.length && wanted.slice(0, -1).every((part, i) => part === '*' || part === tokens[i]);
  }
  return wanted.length === tokens.length && wanted.every((part, i) => part === '*' || part === tokens[i]);
}
