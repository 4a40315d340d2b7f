// A lock between processes that a crash cannot leave behind: an exclusive transaction on an SQLite file, which the operating system
// releases when its holder ends, however it ends.
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

const SQLITE_BUSY = 5;
const pollMs = 200;

export interface FileLockOptions {
  /** Called once, where the lock is taken. */
  onWait?: () => void;
  signal?: AbortSignal | undefined;
}

/** Runs `use` while no other holder of `file` does, in this process or another. The file stays. */
export async function withFileLock<T>(file: string, use: () => Promise<T>, options: FileLockOptions = {}): Promise<T> {
  const { onWait, signal } = options;
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    for (let attempt = 0; !tryLock(database); attempt++) {
      if (attempt === 0) onWait?.();
      await delay(pollMs, undefined, signal ? { signal } : {});
    }
    return await use();
  } finally {
    database.close();
  }
}

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return false;
    throw error;
  }
}
