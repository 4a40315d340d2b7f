// EventBus on SQLite: a subscription is a loop that claims, handles and settles one event at a time.
// A claim is a lease: its holder renews it while the handler runs; a process that dies lets it lapse, and the event comes again.
import { randomUUID } from 'node:crypto';
import { notFound } from '../errors.ts';
import type { EventBus, SubscribeOptions, Subscription } from '../event-bus.ts';
import {
  checkDurable,
  checkPatterns,
  checkType,
  defaultAckWaitMs,
  defaultMaxDeliver,
  failureOf,
  reasonOf,
  survivedByNobody,
} from '../event-rules.ts';
import type { Logger } from '../log.ts';
import { toJson } from '../to-json.ts';
import type { Database } from './database.ts';
import { type Claim, createEventStore, type EventStore, type Retention } from './event-store.ts';
import { isAlive, thisProcess } from './process-identity.ts';
import { createWake } from './wake.ts';

const defaultRetention: Retention = { maxAgeMs: 7 * 24 * 3600 * 1000, maxEvents: 100_000 };
const longestSleepMs = 30_000;
const tidyEvery = 1000;

export interface EmbeddedEventBusOptions {
  retention?: Retention;
  /** Is told of every failed delivery. */
  log?: Logger | undefined;
}

export function createEventBus(
  database: Database,
  { retention = defaultRetention, log }: EmbeddedEventBusOptions = {},
): EventBus {
  const store = createEventStore(database);
  const subscriptions = new Set<Subscription>();
  let published = 0;
  const tidy = (): void => {
    store.forget(isOfDeadProcess);
    store.prune(retention, Date.now());
  };
  tidy();

  return {
    async publish(event) {
      checkType(event.type);
      store.publish(event, toJson(`event ${event.id}`, event), Date.now());
      if (++published % tidyEvery === 0) tidy();
    },
    async subscribe(options) {
      const durable = checkDurable(options.durable ?? nameOfThisProcess());
      const isPassing = options.durable === undefined;
      store.register(durable, checkPatterns(options.subjects), isPassing ? 'new' : (options.from ?? 'all'), Date.now());
      const running = consume({ database, store, log, options: { ...options, durable } });
      const subscription = {
        stop: async () => {
          await running.stop();
          if (isPassing) store.forget((name) => name === durable);
          subscriptions.delete(subscription);
        },
      };
      subscriptions.add(subscription);
      return subscription;
    },
    deadLetters: async ({ durable, limit = 100 } = {}) => store.deadLetters(durable, limit),
    waiting: async (durable) => store.waiting(durable),
    buried: async (durable) => store.buried(durable),
    async replay(id) {
      if (!store.replay(id, Date.now())) throw notFound('dead letter', id);
    },
    clear: async () => store.clear(),
    async close() {
      await Promise.all([...subscriptions].map((subscription) => subscription.stop()));
    },
  };
}

/** Subscriptions without a durable name are called after their process, so that others see when it is gone. */
const passing = 'passing_';
const nameOfThisProcess = (): string => {
  const { pid, startedAt } = thisProcess();
  return `${passing}${pid}_${startedAt}_${randomUUID()}`;
};

function isOfDeadProcess(name: string): boolean {
  if (!name.startsWith(passing)) return false;
  const [pid, startedAt = ''] = name.slice(passing.length).split('_');
  return !isAlive({ pid: Number(pid), startedAt });
}

interface Consumer {
  database: Database;
  store: EventStore;
  log: Logger | undefined;
  options: SubscribeOptions & { durable: string };
}

function consume(consumer: Consumer): Subscription {
  const { database, store, options } = consumer;
  const { durable, ackWaitMs = defaultAckWaitMs, concurrency = 1 } = options;
  const stopped = new AbortController();
  const worker = async (): Promise<void> => {
    const wake = createWake(stopped.signal);
    const unsubscribe = database.onChange(wake.call);
    while (!stopped.signal.aborted) {
      const due = store.nextDue(durable) ?? Infinity;
      const now = Date.now();
      const claim = due <= now ? store.claim(durable, ackWaitMs, now) : undefined;
      if (claim) await deliver(consumer, claim, stopped.signal);
      else await wake.wait(Math.min(Math.max(due - now, 1), longestSleepMs));
    }
    unsubscribe();
  };
  const workers = Promise.all(Array.from({ length: concurrency }, worker));
  return {
    stop: async () => {
      stopped.abort();
      await workers;
    },
  };
}

async function deliver(consumer: Consumer, claim: Claim, signal: AbortSignal): Promise<void> {
  const { store, options } = consumer;
  const { handler, maxDeliver = defaultMaxDeliver, ackWaitMs = defaultAckWaitMs } = options;
  if (claim.attempt > maxDeliver) {
    const error = survivedByNobody(maxDeliver);
    bury(consumer, claim, { error, reason: reasonOf(error) });
    return;
  }
  const renewal = setInterval(() => store.extend(claim, Date.now() + ackWaitMs), ackWaitMs / 3);
  try {
    await handler(claim.event, { attempt: claim.attempt, signal });
    store.acknowledge(claim);
  } catch (error) {
    settleFailure(consumer, claim, error, signal);
  } finally {
    clearInterval(renewal);
  }
}

function settleFailure(consumer: Consumer, claim: Claim, error: unknown, signal: AbortSignal): void {
  const { store, log, options } = consumer;
  const failure = failureOf(error, claim.attempt, signal, options);
  switch (failure.kind) {
    case 'release':
      store.release(claim, Date.now());
      return;
    case 'retry':
      store.retry(claim, Date.now() + failure.inMs);
      log?.warn({ ...factsOf(claim), error, retryInMs: failure.inMs }, 'event not handled; it comes again');
      return;
    case 'bury':
      bury(consumer, claim, { error, reason: failure.reason });
      return;
    default:
      failure satisfies never;
  }
}

function bury({ store, log }: Consumer, claim: Claim, { error, reason }: { error: unknown; reason: string }): void {
  store.bury(claim, reason, Date.now());
  log?.error({ ...factsOf(claim), error }, 'event not handled; it is a dead letter');
}

const factsOf = ({ durable, attempt, event }: Claim) => ({ durable, attempt, event: event.id, type: event.type });
