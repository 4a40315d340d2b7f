// The seam for long work: a named process that runs once. Embedded: a child process. Cluster: a Kubernetes Job.
// A job outlives the service that started it; its name is derived from what it does (`run-<id>-1`), so asking twice starts one.
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, invalidArgument, notFound } from './errors.ts';

export interface JobSpec {
  /** Lower-case letters, digits and dashes, at most 63 (a Kubernetes name). */
  name: string;
  /** The program, relative to the repository: `services/trainer/worker.ts`. */
  entry: string;
  args?: string[];
  /** Added to the environment that every job gets (addresses, STRATA_HOME, …). */
  env?: Record<string, string>;
  /** A resource profile of the cluster (`cpu`, `gpu-small`); one machine has only itself and ignores it. */
  profile?: string;
  /** What it belongs to: `{ run: id }`. To find it by in a cluster. */
  labels?: Record<string, string>;
}

export const jobPhases = ['pending', 'running', 'succeeded', 'failed'] as const;
export type JobPhase = (typeof jobPhases)[number];

export interface Job {
  name: string;
  phase: JobPhase;
  /** Absent while it runs, and where the process was killed by a signal. */
  exitCode?: number;
  /** Why it failed, as far as the runner knows: `killed by SIGKILL`, `exit code 3`. While it is pending: what it waits for, if that is known. */
  reason?: string;
  /** It failed because the cluster took its place away (a node drained or lost, somebody more important): no fault of its own. */
  interrupted?: boolean;
  createdAt: string;
  startedAt?: string;
  endedAt?: string;
}

export interface JobRunner {
  /** Starts the job; the same name again is no error and starts nothing, whatever became of the first. */
  start(spec: JobSpec): Promise<Job>;
  get(name: string): Promise<Job | undefined>;
  /** Jobs whose names begin so, newest first. */
  list(namePrefix?: string): Promise<Job[]>;
  /** SIGTERM, and SIGKILL after the grace. Returns once it has ended; a job that has ended already is no error, one that had not begun may be forgotten. */
  cancel(name: string, options?: { graceMs?: number }): Promise<void>;
  /** Its lines, from the first one; with `follow` until it ends. */
  logs(name: string, options?: { follow?: boolean; signal?: AbortSignal }): AsyncIterable<string>;
  /** Forgets an ended job and its log. FAILED_PRECONDITION while it runs. */
  delete(name: string): Promise<void>;
  /** Embedded: SIGTERM to the jobs of this process, which save their work and exit. Cluster: jobs go on. */
  close(): Promise<void>;
}

export const hasEnded = ({ phase }: Job): boolean => phase === 'succeeded' || phase === 'failed';

/** Waits until the job has ended. */
export async function waitForJob(
  jobs: JobRunner,
  name: string,
  { signal, pollMs = 100 }: { signal?: AbortSignal; pollMs?: number } = {},
): Promise<Job> {
  for (;;) {
    const job = await jobs.get(name);
    if (!job) throw notFound('job', name);
    if (hasEnded(job)) return job;
    await delay(pollMs, undefined, signal ? { signal } : {});
  }
}

const jobNamePattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export function checkJobName(name: string): string {
  if (jobNamePattern.test(name)) return name;
  throw new AppError(
    'INVALID_ARGUMENT',
    `job name ${JSON.stringify(name)}: at most 63 of a-z, 0-9 and dashes between them`,
  );
}

/** A job's name and program, as every runner takes them. */
export function checkJobSpec({ name, entry }: JobSpec): void {
  checkJobName(name);
  if (!entry.startsWith('/') && !entry.split('/').includes('..')) return;
  throw invalidArgument('entry', `${JSON.stringify(entry)} must be a program of the repository`);
}
