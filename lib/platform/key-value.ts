// The seam for state: JSON values under dot-separated keys, with compare-and-set revisions. Embedded: SQLite. Cluster: NATS KV.
// Keys are made by lib/contracts/keys.ts.
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, hasCode } from './errors.ts';

export interface Entry<T = unknown> {
  key: string;
  value: T;
  /** Grows with every write to the store; compare only for equality. */
  revision: number;
}

export type Change<T = unknown> = ({ kind: 'put' } & Entry<T>) | { kind: 'delete'; key: string; revision: number };

export interface PutOptions {
  /** Write only over this revision; 0: only where there is no value. Otherwise ABORTED. Absent: over anything. */
  expectedRevision?: number;
}

export interface WatchOptions {
  /** Ends the iteration quietly. */
  signal?: AbortSignal;
  /** Leave out what is already there. */
  fromNow?: boolean;
}

export interface KeyValue {
  get<T = unknown>(key: string): Promise<Entry<T> | undefined>;
  /** The new revision. At most 1 MB (10^6 bytes) of JSON: large things belong in the object store. */
  put<T>(key: string, value: T, options?: PutOptions): Promise<number>;
  /** A key that is absent is no error, unless a revision is expected. */
  delete(key: string, options?: PutOptions): Promise<void>;
  /** Everything below `prefix` (`runs` has `runs.a` and `runs.a.b`, not `runs` nor `runsets.a`), by key. */
  list<T = unknown>(prefix: string): Promise<Entry<T>[]>;
  /** The entry `prefix` itself and everything below it: what is there, then changes. A slow reader may see only the last of several writes to one key. */
  watch<T = unknown>(prefix: string, options?: WatchOptions): AsyncIterable<Change<T>>;
  close(): Promise<void>;
}

export const conflict = (key: string, expected: number): AppError =>
  new AppError('ABORTED', `"${key}" was changed by someone else (revision ${expected} was expected)`, {
    details: { key, expected },
  });

const keyPattern = /^[A-Za-z0-9_=/-]+(\.[A-Za-z0-9_=/-]+)*$/;

/** Keys that every implementation takes (NATS's alphabet). */
export function checkKey(key: string): string {
  if (keyPattern.test(key) && key.length <= 512) return key;
  throw new AppError(
    'INVALID_ARGUMENT',
    `state key ${JSON.stringify(key)}: tokens of letters, digits, - _ = / between dots`,
  );
}

/**
 * Reads, changes and writes one key until nobody else wrote in between. `change` gets undefined where there is no value, may be called
 * several times, and leaves the store alone by returning undefined.
 */
export async function update<T>(
  store: KeyValue,
  key: string,
  change: (current: T | undefined) => T | undefined,
  { attempts = 50 } = {},
): Promise<T | undefined> {
  for (let attempt = 1; ; attempt++) {
    const entry = await store.get<T>(key);
    const next = change(entry?.value);
    if (next === undefined) return entry?.value;
    try {
      await store.put(key, next, { expectedRevision: entry?.revision ?? 0 });
      return next;
    } catch (error) {
      if (!hasCode(error, 'ABORTED') || attempt === attempts) throw error;
      await delay(Math.min(attempt, 20) * Math.random());
    }
  }
}
