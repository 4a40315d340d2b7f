// Which process is meant, after its pid may have been given to another one: pid and start time together.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** Opaque; the system's own notion of when the process started. Without `_` and spaces. */
  startedAt: string;
}

/** Linux: ticks since boot, field 22 of /proc/<pid>/stat, with the boot's id. Elsewhere: what `ps` says. Undefined where there is no such process. */
function startOf(pid: number): string | undefined {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  try {
    if (process.platform !== 'linux') {
      const started = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' });
      return started.trim().replaceAll(/\s+/g, '-') || undefined;
    }
    // The second field is the program's name in brackets and may hold anything, brackets included.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    const isZombie = fields[0] === 'Z';
    return isZombie ? undefined : `${bootId()}-${fields[19]}`;
  } catch {
    return undefined;
  }
}

const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);

export const identityOf = (pid: number): ProcessIdentity | undefined => {
  const startedAt = startOf(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
};

export const thisProcess = (): ProcessIdentity => ({ pid: process.pid, startedAt: startOf(process.pid) ?? '' });

/** Whether this very process still runs (a zombie does not). */
export const isAlive = ({ pid, startedAt }: ProcessIdentity): boolean => startOf(pid) === startedAt;
