// A job on this machine is a folder, and its state is which files are there. Every process may read them; each file has one writer.
//
//   spec.json     what to run, and the process that has to start it
//   started.json  the job's process, written by itself; created exclusively, so that of two twins one exits
//   exit.json     how it ended: written by the job as it exits, or by whoever finds it dead
//   log           its standard output and error
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Job, JobSpec } from '../job-runner.ts';
import type { ProcessIdentity } from './process-identity.ts';

export interface StoredSpec extends JobSpec {
  owner: ProcessIdentity;
  createdAt: string;
}
export interface Started extends ProcessIdentity {
  time: string;
}
export interface Exit {
  /** Null where a signal ended it. */
  code: number | null;
  reason?: string;
  time: string;
}

export const logPath = (folder: string): string => join(folder, 'log');

/** Creates the job's folder with its spec, whole; false where the name is taken. */
export function createJobFolder(folder: string, spec: StoredSpec): boolean {
  const partial = `${folder}.${process.pid}.partial`;
  mkdirSync(partial, { recursive: true });
  writeFileSync(join(partial, 'spec.json'), JSON.stringify(spec, null, 2));
  writeFileSync(logPath(partial), '');
  try {
    renameSync(partial, folder);
    return true;
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (existsSync(join(folder, 'spec.json'))) return false;
    throw error;
  }
}

export function replaceSpec(folder: string, spec: StoredSpec): void {
  const partial = join(folder, `spec.${process.pid}.partial`);
  writeFileSync(partial, JSON.stringify(spec, null, 2));
  renameSync(partial, join(folder, 'spec.json'));
}

/** Writes a file that must not exist yet, whole; false where it does, and where the job was deleted meanwhile. */
function writeOnce(folder: string, name: string, value: unknown): boolean {
  if (existsSync(join(folder, name))) return false;
  const partial = join(folder, `${name}.${process.pid}.partial`);
  try {
    writeFileSync(partial, JSON.stringify(value));
    linkSync(partial, join(folder, name));
    return true;
  } catch (error) {
    if (['EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  } finally {
    rmSync(partial, { force: true });
  }
}

export const writeStarted = (folder: string, started: Started): boolean => writeOnce(folder, 'started.json', started);
export const writeExit = (folder: string, exit: Exit): boolean => writeOnce(folder, 'exit.json', exit);

function read<T>(folder: string, name: string): T | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, name), 'utf8')) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export const readSpec = (folder: string): StoredSpec | undefined => read(folder, 'spec.json');
export const readStarted = (folder: string): Started | undefined => read(folder, 'started.json');
export const readExit = (folder: string): Exit | undefined => read(folder, 'exit.json');

export const jobNamesIn = (root: string): string[] =>
  readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.includes('.'))
    .map((entry) => entry.name);

/** The job as its files tell it; `end` stands in for one that could not be written yet. */
export function readJob(folder: string, end?: Exit): Job | undefined {
  const spec = readSpec(folder);
  if (!spec) return undefined;
  const started = readStarted(folder);
  const job = { name: spec.name, createdAt: spec.createdAt, ...(started && { startedAt: started.time }) };
  const exit = readExit(folder) ?? end;
  if (!exit) return { ...job, phase: started ? 'running' : 'pending' };
  if (exit.code === 0) return { ...job, phase: 'succeeded', exitCode: 0, endedAt: exit.time };
  const reason = exit.reason ?? `exit code ${exit.code}`;
  return { ...job, phase: 'failed', ...(exit.code !== null && { exitCode: exit.code }), reason, endedAt: exit.time };
}
