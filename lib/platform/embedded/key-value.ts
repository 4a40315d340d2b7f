// KeyValue on SQLite. A deleted key stays as a row without value for a day, so that watchers learn of it.
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
import type { Database } from './database.ts';
import { createWake } from './wake.ts';

const schema = `
  create table if not exists kv (
    key text primary key, value text, revision integer not null unique, changed_at integer not null
  ) strict;
  create table if not exists kv_revision (only_row integer primary key check (only_row = 1), revision integer not null) strict;
  insert or ignore into kv_revision values (1, 0);
`;

const tombstoneMs = 24 * 3600 * 1000;

interface Row {
  key: string;
  value: string | null;
  revision: number;
}

export function createKeyValue(database: Database): KeyValue {
  const { sql } = database;
  sql.exec(schema);
  sql.prepare('delete from kv where value is null and changed_at < ?').run(Date.now() - tombstoneMs);
  const select = sql.prepare('select key, value, revision from kv where key = ? and value is not null');
  const selectBelow = sql.prepare(
    'select key, value, revision from kv where key >= ? and key < ? and value is not null order by key',
  );
  const selectSince = sql.prepare(
    'select key, value, revision from kv where revision > ? and (key = ? or (key >= ? and key < ?)) order by revision',
  );
  const selectRevision = sql.prepare('select revision from kv_revision');
  const nextRevision = sql.prepare('update kv_revision set revision = revision + 1 returning revision');
  const upsert = sql.prepare(
    `insert into kv values (?, ?, ?, ?)
     on conflict (key) do update set value = excluded.value, revision = excluded.revision, changed_at = excluded.changed_at`,
  );
  const ended = new AbortController();

  const write = (key: string, text: string | null, { expectedRevision }: PutOptions): number =>
    database.transaction(() => {
      const current = select.get(checkKey(key)) as Row | undefined;
      if (expectedRevision !== undefined && (current?.revision ?? 0) !== expectedRevision) {
        throw conflict(key, expectedRevision);
      }
      if (text === null && !current) return 0;
      const { revision } = nextRevision.get() as { revision: number };
      upsert.run(key, text, revision, Date.now());
      return revision;
    });

  function watch<T>(prefix: string, { signal, fromNow = false }: WatchOptions = {}): AsyncIterable<Change<T>> {
    checkKey(prefix);
    const since = fromNow ? (selectRevision.get() as { revision: number }).revision : undefined;
    return changes<T>(prefix, since, signal ? AbortSignal.any([signal, ended.signal]) : ended.signal);
  }

  async function* changes<T>(
    prefix: string,
    since: number | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Change<T>> {
    const wake = createWake(signal);
    const unsubscribe = database.onChange(wake.call);
    let seen = since ?? 0;
    let initial = since === undefined;
    try {
      while (!signal.aborted) {
        const rows = selectSince.all(seen, prefix, ...below(prefix)) as unknown as Row[];
        for (const row of rows) {
          if (signal.aborted) return;
          seen = row.revision;
          if (row.value !== null) yield { kind: 'put', ...toEntry<T>(row) };
          else if (!initial) yield { kind: 'delete', key: row.key, revision: row.revision };
        }
        initial = false;
        if (rows.length === 0) await wake.wait();
      }
    } finally {
      unsubscribe();
    }
  }

  return {
    get: async <T>(key: string) => {
      const row = select.get(checkKey(key)) as Row | undefined;
      return row && toEntry<T>(row);
    },
    put: async (key, value, options = {}) => write(key, toJson(`state key "${key}"`, value), options),
    delete: async (key, options = {}) => void write(key, null, options),
    list: async <T>(prefix: string) =>
      (selectBelow.all(...below(checkKey(prefix))) as unknown as Row[]).map((row) => toEntry<T>(row)),
    watch,
    close: async () => ended.abort(),
  };
}

const toEntry = <T>({ key, value, revision }: Row): Entry<T> => ({
  key,
  value: JSON.parse(value ?? 'null') as T,
  revision,
});

// The keys that begin with "prefix." are those between "prefix." and "prefix/" ("/" follows "." in ASCII).
const below = (prefix: string): [string, string] => [`${prefix}.`, `${prefix}/`];
