// The one SQLite file behind the embedded event bus and key-value store: WAL, safe between processes.
// Survives kill -9 at any moment; a power cut may undo the last moments, never corrupt (synchronous = normal).
import { DatabaseSync } from 'node:sqlite';
import { AppError, type ErrorCode } from '../errors.ts';

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
  const sql = open(path);
  const listeners = new Set<() => void>();
  const notify = (): void => {
    for (const listener of [...listeners]) listener();
  };
  const dataVersion = sql.prepare('pragma data_version');
  const totalChanges = sql.prepare('select total_changes() as n');
  const countChanges = () => (totalChanges.get() as { n: number }).n;
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
      const before = countChanges();
      try {
        const result = work();
        sql.exec('commit');
        // Only what was written is news: a listener that looks and finds nothing must not wake itself.
        if (listeners.size && countChanges() !== before) setImmediate(notify);
        return result;
      } catch (error) {
        if (sql.isTransaction) sql.exec('rollback');
        throw explained(error, path);
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

function open(path: string): DatabaseSync {
  try {
    const sql = new DatabaseSync(path, { timeout: 10_000 });
    sql.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma journal_size_limit = 67108864');
    return sql;
  } catch (error) {
    throw explained(error, path);
  }
}

// SQLite's result codes: https://sqlite.org/rescode.html
const reasons: Record<number, [ErrorCode, string]> = {
  5: ['UNAVAILABLE', 'another process keeps it locked'],
  8: ['PERMISSION_DENIED', 'it cannot be written'],
  11: ['DATA_LOSS', 'it is damaged; restore it from a copy, or move it away to begin anew'],
  13: ['RESOURCE_EXHAUSTED', 'no space left; free some or move STRATA_HOME'],
  14: ['PERMISSION_DENIED', 'it cannot be opened'],
  26: ['DATA_LOSS', 'it is not a database; move it away to begin anew'],
};

/** SQLite's errors as ours, naming the file; others as they are. */
function explained(error: unknown, path: string): unknown {
  const { errcode = 0 } = error as { errcode?: number };
  // The low byte is the kind; the rest refines it.
  const [code, reason] = reasons[errcode & 0xff] ?? [];
  return code ? new AppError(code, `${path}: ${reason}`, { cause: error }) : error;
}
