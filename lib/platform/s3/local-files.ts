// Objects as files of this machine, for what can only read files. They lie in a folder of this process's own below the folder for
// temporary files, and go with their loan; what a killed process left goes when the next one starts.
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isAlive, thisProcess } from '../embedded/process-identity.ts';
import { AppError, isDiskFull } from '../errors.ts';
import type { Connection } from './connection.ts';
import { readObject } from './read-object.ts';

/** With the machine's name: another one may share the folder, and its processes cannot be seen from here. */
export const ownPrefix = `strata-objects-${hostname()}-`;

export interface LocalFiles {
  with<T>(key: string, use: (path: string) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export async function openLocalFiles(connection: Connection): Promise<LocalFiles> {
  await removeLeftovers(tmpdir());
  const { pid, startedAt } = thisProcess();
  const folder = join(tmpdir(), `${ownPrefix}${pid}_${startedAt}_${randomUUID()}`);
  return {
    async with(key, use) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const path = join(folder, randomUUID());
      try {
        await downloadObject(connection, key, path);
        return await use(path);
      } finally {
        await rm(path, { force: true });
      }
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

async function removeLeftovers(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(ownPrefix)) continue;
    const [pid, startedAt = ''] = name.slice(ownPrefix.length).split('_');
    if (isAlive({ pid: Number(pid), startedAt })) continue;
    // Another user's, perhaps: then it is that user's to remove.
    await rm(join(parent, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Writes the object beside `path` and moves it there when it is whole. */
export async function downloadObject(
  connection: Connection,
  key: string,
  path: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const partial = `${path}.${randomUUID()}.partial`;
  try {
    const { chunks } = await readObject(connection, key, { signal });
    // Several chunks go to the disk in one call.
    await pipeline(chunks, createWriteStream(partial, { flags: 'wx', mode: 0o600, highWaterMark: 4 << 20 }));
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw diskFull(error, path) ?? error;
  }
}

function diskFull(error: unknown, path: string): AppError | undefined {
  if (!isDiskFull(error)) return undefined;
  const message = `no space left in ${dirname(path)} for an object of the store; free some or set TMPDIR to a larger disk`;
  return new AppError('RESOURCE_EXHAUSTED', message, { cause: error });
}
