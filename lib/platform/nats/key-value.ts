// KeyValue on a stream: a key is a subject, its last message the value, a revision a sequence. The layout is that of every NATS client's
// key-value store (`nats kv get strata-state runs.x` shows it). Written by hand because that store's own client neither gives a write an
// id, without which a write whose answer was lost cannot be told from somebody else's, nor lists values.
import { randomUUID } from 'node:crypto';
import { type JetStreamPublishOptions, JsHeaders, type JsMsg, type StoredMsg } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { AppError } from '../errors.ts';
import {
  type Change,
  checkKey,
  conflict,
  type Entry,
  type KeyValue,
  type PutOptions,
  type WatchOptions,
} from '../key-value.ts';
import { toJson } from '../to-json.ts';
import { isWrongSequence } from './errors.ts';
import { follow, lastSequence, snapshot } from './follow.ts';
import type { Link } from './link.ts';
import type { Names } from './names.ts';

/** Deletions are remembered for so long, for watchers that come back. */
const markerTtl = '24h';
const operationHeader = 'KV-Operation';

export function createKeyValue({ link, names }: { link: Link; names: Names }): KeyValue {
  const stream = names.state;
  const ended = new AbortController();
  /** Watches that begin now: what this client writes next comes after them. */
  const beginning = new Set<Promise<unknown>>();

  const read = (key: string): Promise<StoredMsg | null> =>
    link.persist(`reading "${key}"`, () =>
      link.jsm.streams.getMessage(stream, { last_by_subj: names.stateKey(checkKey(key)) }),
    );

  /** The new revision; undefined where another one than `expected` is there. */
  async function write(key: string, data: string, expected: number | undefined, marker = false) {
    await Promise.allSettled(beginning);
    const options: Partial<JetStreamPublishOptions> = {
      msgID: randomUUID(),
      ...(expected !== undefined && { expect: { lastSubjectSequence: expected } }),
    };
    const attempt = async (): Promise<number | undefined> => {
      const how = marker ? { ...options, headers: markerHeaders(), ttl: markerTtl } : options;
      try {
        return (await link.js.publish(names.stateKey(key), data, how)).seq;
      } catch (error) {
        if (isWrongSequence(error)) return undefined;
        throw error;
      }
    };
    return link.persist(`writing "${key}"`, attempt);
  }

  /** Writes where no value is: over nothing, or over the marker of a deletion. */
  async function create(key: string, data: string): Promise<number> {
    for (let expected = 0; ; ) {
      const revision = await write(key, data, expected);
      if (revision !== undefined) return revision;
      const current = await read(key);
      if (current && !isMarker(current.header)) throw conflict(key, 0);
      expected = current?.seq ?? 0;
    }
  }

  async function* changes<T>(prefix: string, begun: Promise<number>, fromNow: boolean, signal: AbortSignal) {
    const boundary = await begun;
    const filters = [names.stateKey(prefix), names.stateBelow(prefix)];
    for await (const message of follow(link, { stream, filters, after: fromNow ? boundary : undefined, signal })) {
      const change = toChange<T>(names, message);
      // What was deleted before the watch began is no change.
      if (change.kind === 'put' || change.revision > boundary) yield change;
    }
  }

  return {
    async get<T>(key: string) {
      const message = await read(key);
      return message && !isMarker(message.header) ? toEntry<T>(key, message) : undefined;
    },
    async put(key, value, { expectedRevision }: PutOptions = {}) {
      const data = toJson(`state key "${checkKey(key)}"`, value);
      if (expectedRevision === 0) return create(key, data);
      const revision = await write(key, data, expectedRevision);
      if (revision === undefined) throw conflict(key, expectedRevision ?? 0);
      return revision;
    },
    async delete(key, { expectedRevision }: PutOptions = {}) {
      const current = await read(key);
      const revision = current && !isMarker(current.header) ? current.seq : 0;
      if (expectedRevision !== undefined && expectedRevision !== revision) throw conflict(key, expectedRevision);
      if (revision === 0) return;
      const deleted = await write(key, '', expectedRevision, true);
      if (deleted === undefined) throw conflict(key, expectedRevision ?? 0);
    },
    async list<T>(prefix: string) {
      const filters = [names.stateBelow(checkKey(prefix))];
      const messages = await snapshot(link, { stream, filters, lastOnly: true });
      const latest = new Map(messages.map((message) => [names.keyOf(message.subject), message]));
      return [...latest]
        .filter(([, message]) => !isMarker(message.headers))
        .map(([key, message]) => toEntry<T>(key, message))
        .sort((a, b) => (a.key < b.key ? -1 : 1));
    },
    watch<T>(prefix: string, { signal, fromNow = false }: WatchOptions = {}) {
      checkKey(prefix);
      const begun = lastSequence(link, stream);
      beginning.add(begun);
      void begun.catch(() => undefined).finally(() => beginning.delete(begun));
      const until = signal ? AbortSignal.any([signal, ended.signal]) : ended.signal;
      return changes<T>(prefix, begun, fromNow, until);
    },
    close: async () => ended.abort(),
  };
}

function markerHeaders() {
  const marks = headers();
  marks.set(operationHeader, 'PURGE');
  // Takes the earlier values along: none may come to light again when the marker expires.
  marks.set(JsHeaders.RollupHdr, JsHeaders.RollupValueSubject);
  return marks;
}

const isMarker = (marks: StoredMsg['header'] | undefined): boolean => {
  const operation = marks?.get(operationHeader);
  return operation === 'DEL' || operation === 'PURGE';
};

function toChange<T>(names: Names, message: JsMsg): Change<T> {
  const key = names.keyOf(message.subject);
  if (isMarker(message.headers)) return { kind: 'delete', key, revision: message.seq };
  return { kind: 'put', ...toEntry<T>(key, message) };
}

function toEntry<T>(key: string, message: Pick<JsMsg, 'seq' | 'json'>): Entry<T> {
  try {
    return { key, value: message.json<T>(), revision: message.seq };
  } catch (cause) {
    throw new AppError('DATA_LOSS', `state key "${key}" holds no JSON; somebody else wrote it`, { cause });
  }
}
