// A subject on which somebody else publishes in a form of their own (MinIO's notifications): a stream of ours keeps what comes, until one of
// our processes has handled it. At least once, in no certain order; what is no JSON, or fails too often, is dropped with a log line.
import { setTimeout as delay } from 'node:timers/promises';
import { AckPolicy, type Consumer, DiscardPolicy, type JsMsg, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { Logger } from '../log.ts';
import { connectNats, type NatsConfig } from './connect.ts';
import { apiCodes, hasApiCode } from './errors.ts';
import { fetchSome } from './follow.ts';
import { createLink, type Link } from './link.ts';

export interface ForeignSubjectOptions {
  subject: string;
  /** Names the stream, `<prefix>-<name>`, and what all processes that follow it share. */
  name: string;
  /** Given each message, from JSON. One that fails comes again. */
  handler: (message: unknown) => Promise<void>;
  log: Logger;
  /** Messages handled at the same time. */
  concurrency?: number;
}

const ackWaitMs = 30_000;
const keptMs = 7 * 86_400_000;
const mostAttempts = 20;

/** Follows the subject over a connection of its own until stopped. */
export async function followForeignSubject(
  config: NatsConfig,
  { subject, name, handler, log, concurrency = 4 }: ForeignSubjectOptions,
): Promise<{ stop(): Promise<void> }> {
  const { natsUrl: address, natsPatienceMs: patienceMs, natsReplicas, natsPrefix } = config;
  const nc = await connectNats(config, log);
  const link = await createLink(nc, { address, patienceMs, log });
  const stream = `${natsPrefix}-${name}`;
  const stopped = new AbortController();
  const { signal } = stopped;
  const join = () => joinForeign(link, { stream, subject, name, replicas: natsReplicas });
  const first = await link.persist(`keeping ${subject}`, join).catch(async (error) => {
    await nc.close();
    throw error;
  });

  const work = async (): Promise<void> => {
    let consumer: Consumer | undefined = first;
    while (!signal.aborted) {
      try {
        consumer ??= await link.persist(`keeping ${subject}`, join, { patienceMs: Infinity, signal });
        for await (const message of fetchSome(link, consumer, { count: 1, signal })) await take(message, handler, log);
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ subject, error }, 'notifications interrupted; joining again');
        await delay(200);
        consumer = undefined;
      }
    }
  };
  const workers = Promise.all(Array.from({ length: concurrency }, work));
  return {
    async stop() {
      stopped.abort();
      await workers;
      await nc.close();
    },
  };
}

interface Joining {
  stream: string;
  subject: string;
  name: string;
  replicas: number;
}

/** Both are made where they are missing; a stream that is there with other limits is somebody's wish. */
async function joinForeign(link: Link, { stream, subject, name, replicas }: Joining): Promise<Consumer> {
  const wanted = {
    name: stream,
    description: `Strata: what comes on ${subject}, until it is handled`,
    subjects: [subject],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_age: nanos(keptMs),
    num_replicas: replicas,
  };
  await link.jsm.streams.add(wanted).catch((error) => {
    if (!hasApiCode(error, apiCodes.streamExistsOtherwise)) throw error;
  });
  const info = await link.jsm.consumers.add(stream, {
    durable_name: name,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ackWaitMs),
    max_deliver: mostAttempts,
  });
  return link.js.consumers.getConsumerFromInfo(info);
}

async function take(message: JsMsg, handler: ForeignSubjectOptions['handler'], log: Logger): Promise<void> {
  const facts = { subject: message.subject, attempt: message.info.deliveryCount };
  const content = parse(message);
  if (content === undefined) {
    log.error({ ...facts, text: message.string().slice(0, 200) }, 'notification dropped: it is no JSON');
    return message.term();
  }
  const working = setInterval(() => message.working(), ackWaitMs / 3);
  try {
    await handler(content);
    message.ack();
  } catch (error) {
    const isLast = message.info.deliveryCount >= mostAttempts;
    log[isLast ? 'error' : 'warn'](
      { ...facts, error },
      `notification not handled; it ${isLast ? 'is dropped' : 'comes again'}`,
    );
    message.nak(Math.min(100 * 2 ** message.info.deliveryCount, 30_000));
  } finally {
    clearInterval(working);
  }
}

function parse(message: JsMsg): unknown {
  try {
    return message.json();
  } catch {
    return undefined;
  }
}
