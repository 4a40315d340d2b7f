// JobRunner with child processes. A job is detached: it outlives a `strata up` that is killed, and the next one adopts it.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, isDiskFull, notFound } from '../errors.ts';
import { checkJobName, checkJobSpec, hasEnded, type Job, type JobRunner, type JobSpec } from '../job-runner.ts';
import * as files from './job-files.ts';
import { isAlive, thisProcess } from './process-identity.ts';

export interface EmbeddedJobRunnerOptions {
  /** A folder a job: state and log. */
  folder: string;
  /** What jobs inherit. */
  env: Record<string, string>;
  /** What `entry` is relative to. */
  root?: string;
  /** Between SIGTERM and SIGKILL when the runner closes. Default 30 s. */
  graceMs?: number;
}

const repository = resolve(import.meta.dirname, '../../..');

export function createJobRunner({
  folder,
  env,
  root = repository,
  graceMs = 30_000,
}: EmbeddedJobRunnerOptions): JobRunner {
  mkdirSync(folder, { recursive: true });
  const self = thisProcess();
  const mine = new Set<string>();
  /** Jobs whose process is a child of this one; and how those ended whose end is not written yet. */
  const children = new Set<string>();
  const ends = new Map<string, files.Exit>();
  const folderOf = (name: string): string => join(folder, checkJobName(name));
  const now = (): string => new Date().toISOString();

  /** The child claims the job itself (job-start.ts), so a second launch of the same job does no harm. */
  function launch(name: string, spec: JobSpec): void {
    mine.add(name);
    const log = openSync(files.logPath(folderOf(name)), 'a');
    const child = spawn(process.execPath, commandOf(spec), {
      cwd: root,
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...env, ...spec.env, STRATA_JOB_FOLDER: folderOf(name) },
    });
    closeSync(log);
    child.unref();
    noteExit(name, child);
  }

  function noteExit(name: string, child: ChildProcess): void {
    children.add(name);
    const note = (code: number | null, reason?: string): void => {
      children.delete(name);
      const started = files.readStarted(folderOf(name));
      if (started && started.pid !== child.pid) return;
      writeEnd(name, { code, ...(reason && { reason }), time: now() });
    };
    child.on('error', (error) => note(null, error.message));
    child.on('exit', (code, signal) => note(code, signal ? `killed by ${signal}` : undefined));
  }

  /** On a disk that is full the end is kept, and written at a later look. */
  function writeEnd(name: string, end: files.Exit): void {
    ends.set(name, end);
    try {
      files.writeExit(folderOf(name), end);
      ends.delete(name);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }

  /** The job's state, after looking whether its process, or the one that had to start it, is still there. */
  function inspect(name: string): Job | undefined {
    const job = files.readJob(folderOf(name));
    if (!job || hasEnded(job)) return job;
    const started = files.readStarted(folderOf(name));
    const spec = files.readSpec(folderOf(name));
    const isGone = started !== undefined && !children.has(name) && !isAlive(started);
    if (isGone || ends.has(name)) {
      const end = ends.get(name) ?? { code: null, reason: 'its process is gone: killed', time: now() };
      writeEnd(name, end);
      return files.readJob(folderOf(name), end);
    }
    if (spec && !mine.has(name) && !isAlive(spec.owner)) {
      files.replaceSpec(folderOf(name), { ...spec, owner: self });
      if (started) mine.add(name);
      else launch(name, spec);
    }
    return job;
  }

  const terminate = async (name: string, grace: number): Promise<void> => {
    const deadline = Date.now() + grace;
    let signal: 'SIGTERM' | 'SIGKILL' | undefined;
    for (let job = inspect(name); job && !hasEnded(job); job = inspect(name)) {
      const wanted = Date.now() < deadline ? 'SIGTERM' : 'SIGKILL';
      const started = files.readStarted(folderOf(name));
      if (started && signal !== wanted) sendSignal(started.pid, wanted);
      if (started) signal = wanted;
      await delay(20);
    }
  };

  return {
    get: async (name) => inspect(name),
    async start(spec) {
      checkJobSpec(spec);
      const { name } = spec;
      const isNew = files.createJobFolder(folderOf(name), { ...spec, owner: self, createdAt: now() });
      if (isNew) launch(name, spec);
      return inspect(name) as Job;
    },
    async list(namePrefix = '') {
      const jobs = files
        .jobNamesIn(folder)
        .filter((name) => name.startsWith(namePrefix))
        .map(inspect);
      return jobs.filter((job) => job !== undefined).sort((a, b) => b.createdAt.localeCompare(a.createdAt));
    },
    async cancel(name, options = {}) {
      if (!inspect(name)) throw notFound('job', name);
      await terminate(name, options.graceMs ?? graceMs);
    },
    async *logs(name, { follow = false, signal } = {}) {
      if (!inspect(name)) throw notFound('job', name);
      yield* readLines(files.logPath(folderOf(name)), () => follow && !hasEnded(inspect(name) as Job), signal);
    },
    async delete(name) {
      const job = inspect(name);
      if (job && !hasEnded(job)) throw new AppError('FAILED_PRECONDITION', `job "${name}" still runs: cancel it first`);
      mine.delete(name);
      rmSync(folderOf(name), { recursive: true, force: true, maxRetries: 3 });
    },
    async close() {
      await Promise.all([...mine].map((name) => terminate(name, graceMs)));
    },
  };
}

const jobStart = new URL('./job-start.ts', import.meta.url).href;

const commandOf = ({ entry, args = [] }: JobSpec): string[] => ['--import', jobStart, entry, ...args];

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The file's lines, and those that are added while `goesOn`. */
async function* readLines(path: string, goesOn: () => boolean, signal?: AbortSignal): AsyncGenerator<string> {
  await using file = await open(path, 'r');
  const decoder = new TextDecoder();
  let rest = '';
  const buffer = new Uint8Array(64 * 1024);
  while (!signal?.aborted) {
    const more = goesOn();
    const { bytesRead } = await file.read(buffer);
    const lines = (rest + decoder.decode(buffer.subarray(0, bytesRead), { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
    if (bytesRead > 0) continue;
    if (!more) break;
    await delay(50, undefined, signal ? { signal } : {});
  }
  if (rest) yield rest;
}
