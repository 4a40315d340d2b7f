// Backups as files: there whole or not at all, and checked before anything is done by them.
import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { link, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError } from '../errors.ts';
import type { OnProgress } from './archive-format.ts';
import { readArchive } from './read-archive.ts';

/** Lets `write` write beside the place, then puts it there. ALREADY_EXISTS where a file is: a backup is never overwritten. */
export async function writeArchiveFile<T>(path: string, write: (destination: Writable) => Promise<T>): Promise<T> {
  const partial = `${path}.${randomUUID()}.partial`;
  try {
    const result = await write(createWriteStream(partial, { flags: 'wx', mode: 0o600, flush: true }));
    await link(partial, path);
    return result;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new AppError('ALREADY_EXISTS', `${path} exists already: name another file, or move it away`, {
      cause: error,
    });
  } finally {
    await rm(partial, { force: true });
  }
}

/** Reads a file through, and only where it is whole lets `use` read it. */
export async function withCheckedFile<T>(
  path: string,
  use: (source: Readable, onProgress: OnProgress) => Promise<T>,
  onProgress: OnProgress = () => undefined,
): Promise<T> {
  const { size } = await stat(path);
  const isOfFile = (unit: string): boolean => unit === 'bytes';
  const known: OnProgress = (phase, done, total, unit) => onProgress(phase, done, isOfFile(unit) ? size : total, unit);
  await readArchive(createReadStream(path), {}, (_, ...rest) => known('checking', ...rest));
  return use(createReadStream(path), known);
}

/** Stores what comes as a stream in TMPDIR first. */
export async function withStored<T>(source: Readable, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(tmpdir(), `strata-backup-${randomUUID()}.tar`);
  try {
    await pipeline(source, createWriteStream(path, { mode: 0o600 }));
    return await use(path);
  } finally {
    await rm(path, { force: true });
  }
}
