// The one SQLite file behind the embedded event bus and key-value store: WAL, safe between processes.
// Survives kill -9 at any moment; a power cut may undo the last moments, never corrupt (synchronous = normal).
import { DatabaseSync } from 'node:sqlite';

export interface Database {
  readonly sql: DatabaseSync;
  /** Runs `work` as one write transaction: all of it or nothing. */
  transaction<T>(work: () => T): T;
  /** Calls `listener` after this or any other process has written. Idle cost: one PRAGMA every 50 ms, none without listeners. */
  onChange(listener: () => void): () => void;
  close(): void;
}

const pollMs = 50;

export function openDatabase(path: string): Database {
  const sql = new DatabaseSync(path, { timeout: 10_000 });
  sql.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma journal_size_limit = 67108864');
  const listeners = new Set<() => void>();
  const notify = (): void => {
    for (const listener of [...listeners]) listener();
  };
  const dataVersion = sql.prepare('pragma data_version');
  const readVersion = () => (dataVersion.get() as { data_version: number }).data_version;
  let seen = readVersion();
  let timer: NodeJS.Timeout | undefined;
  const poll = (): void => {
    const version = readVersion();
    if (version === seen) return;
    seen = version;
    notify();
  };

  return {
    sql,
    transaction(work) {
      if (sql.isTransaction) return work();
      sql.exec('begin immediate');
      try {
        const result = work();
        sql.exec('commit');
        if (listeners.size) setImmediate(notify);
        return result;
      } catch (error) {
        if (sql.isTransaction) sql.exec('rollback');
        throw error;
      }
    },
    onChange(listener) {
      listeners.add(listener);
      timer ??= setInterval(poll, pollMs);
      return () => {
        listeners.delete(listener);
        if (listeners.size) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
    close() {
      clearInterval(timer);
      listeners.clear();
      if (sql.isOpen) sql.close();
    },
  };
}
