// Who runs the services of a home: at most one process, and where it serves. The lock is the operating system's (through SQLite), so that a
// process that dies, however it dies, has let go.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AppError } from '../errors.ts';
import { isAlive, type ProcessIdentity, thisProcess } from './process-identity.ts';

export interface HomeHolder extends ProcessIdentity {
  /** RFC 3339. */
  since: string;
  /** Service -> host:port; empty until everything serves. */
  addresses: Record<string, string>;
}

export interface HomeLock {
  /** Lets others find the services. */
  announce(addresses: Record<string, string>): void;
  release(): void;
}

const holderPath = (home: string): string => join(home, 'up.json');

/** Takes the home, or fails with FAILED_PRECONDITION and says who has it. */
export function lockHome(home: string): HomeLock {
  mkdirSync(home, { recursive: true });
  const lock = new DatabaseSync(join(home, 'up.lock'));
  try {
    // Held until release: a transaction that writes nothing.
    lock.exec('begin immediate');
  } catch (cause) {
    lock.close();
    const holder = readHolder(home);
    const who = holder ? `process ${holder.pid}, since ${holder.since}` : 'another process, which is just starting';
    throw new AppError(
      'FAILED_PRECONDITION',
      `the services of ${home} run already (${who}): use those, stop them, or set STRATA_HOME to another folder`,
      { cause },
    );
  }
  const self = { ...thisProcess(), since: new Date().toISOString() };
  const write = (addresses: Record<string, string>): void => {
    const partial = `${holderPath(home)}.partial`;
    writeFileSync(partial, JSON.stringify({ ...self, addresses } satisfies HomeHolder, null, 2));
    renameSync(partial, holderPath(home));
  };
  write({});
  return {
    announce: write,
    release: () => {
      rmSync(holderPath(home), { force: true });
      lock.close();
    },
  };
}

/** The living process that holds the home. */
export function readHolder(home: string): HomeHolder | undefined {
  try {
    const holder = JSON.parse(readFileSync(holderPath(home), 'utf8')) as HomeHolder;
    return isAlive(holder) ? holder : undefined;
  } catch {
    return undefined;
  }
}
