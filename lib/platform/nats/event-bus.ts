// EventBus on JetStream: a subscription is a pull consumer; each of its workers asks for one event, handles and settles it.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer } from '@nats-io/jetstream';
import type { EventBus, SubscribeOptions, Subscription } from '../event-bus.ts';
import { checkDurable, checkPatterns, checkType, defaultAckWaitMs } from '../event-rules.ts';
import type { Logger } from '../log.ts';
import { toJson } from '../to-json.ts';
import { createDeadLetters, type DeadLetters } from './dead-letters.ts';
import { type Deliverer, deliver } from './deliver.ts';
import { isWrongSequence } from './errors.ts';
import { fetchSome, stillAfter } from './follow.ts';
import type { Link, PersistOptions } from './link.ts';
import { countWaiting, join, type Member } from './membership.ts';
import type { Names } from './names.ts';
import { emptyStream } from './streams.ts';

export interface NatsEventBusOptions {
  link: Link;
  names: Names;
  /** Is told of every failed delivery. */
  log?: Logger | undefined;
}

export function createEventBus({ link, names, log }: NatsEventBusOptions): EventBus {
  const letters: DeadLetters = createDeadLetters({ link, names });
  const subscriptions = new Set<Subscription>();
  return {
    async publish(event) {
      const subject = names.event(checkType(event.type), event.id);
      const data = toJson(`event ${event.id}`, event);
      // Every id has a subject of its own, which takes one message for as long as that is kept.
      const attempt = () => link.js.publish(subject, data, { msgID: event.id, expect: { lastSubjectSequence: 0 } });
      await link.persist(`publishing ${event.type}`, () =>
        attempt().catch((error) => {
          if (!isWrongSequence(error)) throw error;
        }),
      );
    },
    async subscribe(options) {
      const member = toMember(options);
      const running = await consume({ link, names, letters, log, member, options });
      const subscription = {
        stop: async () => {
          await running.stop();
          subscriptions.delete(subscription);
        },
      };
      subscriptions.add(subscription);
      return subscription;
    },
    deadLetters: letters.list,
    waiting: (durable) => link.persist('counting events', () => countWaiting(link, names, checkDurable(durable))),
    buried: (durable) => letters.count(checkDurable(durable)),
    replay: letters.replay,
    clear: () =>
      link.persist('forgetting events', async () => {
        for (const stream of [names.events, names.deadLetters]) await emptyStream(link.jsm, stream);
      }),
    async close() {
      await Promise.all([...subscriptions].map((subscription) => subscription.stop()));
    },
  };
}

const toMember = ({ durable, subjects, ackWaitMs = defaultAckWaitMs, from = 'all' }: SubscribeOptions): Member => ({
  durable: checkDurable(durable ?? `passing-${randomUUID()}`),
  isPassing: durable === undefined,
  subjects: [...new Set(checkPatterns(subjects))],
  ackWaitMs,
  from: durable === undefined ? 'new' : from,
});

async function consume(deliverer: Deliverer): Promise<Subscription> {
  const { link, names, log, member, options } = deliverer;
  const stopped = new AbortController();
  const { signal } = stopped;
  /** Where a consumer that was lost goes on; a durable one that began with all begins anew. */
  let position: number | undefined;
  const joinNow = (how?: PersistOptions): Promise<Consumer> =>
    link.persist(
      'subscribing',
      async () => {
        if (position !== undefined) position = await stillAfter(link, names.events, position);
        return join(link, names, member, position);
      },
      how,
    );
  let joined = Promise.resolve(await joinNow());
  if (member.from === 'new') position = (await (await joined).info(true)).delivered.stream_seq;

  const rejoin = (lost: Promise<Consumer>): void => {
    if (joined !== lost || signal.aborted) return;
    joined = joinNow({ patienceMs: Infinity, signal });
    joined.catch(() => undefined);
  };

  const worker = async (): Promise<void> => {
    while (!signal.aborted) {
      const joining = joined;
      try {
        const consumer = await joining;
        for await (const message of fetchSome(link, consumer, { count: 1, signal })) {
          if (position !== undefined) position = Math.max(position, message.seq);
          await deliver(deliverer, { consumer, message, signal });
        }
      } catch (error) {
        if (signal.aborted) return;
        log?.warn({ durable: member.durable, error }, 'subscription interrupted; joining again');
        await delay(200);
        rejoin(joining);
      }
    }
  };
  const workers = Promise.all(Array.from({ length: options.concurrency ?? 1 }, worker));

  return {
    stop: async () => {
      stopped.abort();
      await workers;
      if (!member.isPassing) return;
      const forget = () => link.jsm.consumers.delete(names.events, member.durable);
      // Otherwise the server forgets it by itself, in a minute.
      await link.persist('unsubscribing', forget, { patienceMs: 0 }).catch(() => undefined);
    },
  };
}
