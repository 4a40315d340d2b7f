// The inbox: files under inbox/<task>/ become labels.added events. Listing works with every object store; notifications only shorten the wait.

import { createHash } from 'node:crypto';
import { createEvent, subjects } from '#lib/contracts/events.ts';
import { objectKeys } from '#lib/contracts/keys.ts';
import type { EventBus } from '#lib/platform/event-bus.ts';
import { keepRunning } from '#lib/platform/keep-running.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { ObjectInfo, ObjectStore } from '#lib/platform/object-store.ts';
import type { Tracing } from '#lib/platform/telemetry/tracing.ts';

export interface InboxOptions {
  objects: ObjectStore;
  events: EventBus;
  log: Logger;
}

/** What an object says of its labels: hash, size, and how many examples (lines) it has. */
async function describe(
  objects: ObjectStore,
  key: string,
): Promise<{ sha256: string; sizeBytes: number; examples: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let examples = 0;
  let last = 10;
  for await (const chunk of objects.getStream(key)) {
    hash.update(chunk);
    sizeBytes += chunk.length;
    for (const byte of chunk) if (byte === 10) examples += 1;
    last = chunk.at(-1) ?? last;
  }
  return { sha256: hash.digest('hex'), sizeBytes, examples: examples + Number(last !== 10) };
}

/** Says that a file has come. The event's id is its content: saying it twice is saying it once. */
export async function announceLabels({ objects, events }: InboxOptions, task: string, key: string): Promise<void> {
  const { examples, ...object } = await describe(objects, key);
  const id = `labels.added/${key}/${object.sha256}`;
  const data = { task, object: { key, ...object }, examples };
  await events.publish(createEvent(subjects.labelsAdded, { id, source: 'orchestrator', about: key, data }));
}

export const taskOf = (key: string): string => key.split('/')[1] ?? '';

export interface WatchOptions extends InboxOptions {
  tracing: Tracing;
  pollMs: number;
  signal: AbortSignal;
}

/** Looks at the inbox every `pollMs` until aborted. A file counts once it has stood still from one look to the next. */
export async function watchInbox(options: WatchOptions): Promise<void> {
  const { objects, log, tracing, pollMs, signal } = options;
  const seen = new Map<string, string>();
  const announced = new Map<string, string>();
  const look = async (): Promise<void> => {
    for await (const info of objects.list(objectKeys.inboxes)) {
      const isStill = seen.get(info.key) === stateOf(info);
      seen.set(info.key, stateOf(info));
      if (!isStill || announced.get(info.key) === stateOf(info)) continue;
      const task = taskOf(info.key);
      const attributes = { 'strata.task': task, 'strata.object.key': info.key };
      await tracing.span('labels dropped', { attributes }, () => announceLabels(options, task, info.key));
      announced.set(info.key, stateOf(info));
    }
  };
  const onFailure = (error: unknown): void => log.warn({ error }, 'the inbox could not be read; trying again');
  await keepRunning(look, { signal, onFailure, pauseMs: pollMs });
}

const stateOf = ({ etag, sizeBytes }: ObjectInfo): string => `${etag}/${sizeBytes}`;
