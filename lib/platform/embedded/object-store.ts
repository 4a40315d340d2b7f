// ObjectStore in a folder. An object is a file; it is written beside, flushed, and renamed, so that it is there whole or not at all.
import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, type FileHandle, link, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { AppError, fromUnknown, isDiskFull, notFound } from '../errors.ts';
import {
  type Body,
  checkObjectKey,
  checkPrefix,
  type ObjectInfo,
  type ObjectStore,
  type Range,
} from '../object-store.ts';
import { isAlive, thisProcess } from './process-identity.ts';

const partialFolder = '.partial';
const chunkBytes = 1024 * 1024;

export async function openObjectStore(folder: string): Promise<ObjectStore> {
  const partials = join(folder, partialFolder);
  await mkdir(partials, { recursive: true });
  await removeLeftovers(partials);
  const self = thisProcess();
  const pathOf = (key: string): string => join(folder, checkObjectKey(key));

  const put: ObjectStore['put'] = async (key, body, { ifAbsent = false, signal } = {}) => {
    const path = pathOf(key);
    const partial = join(partials, `${self.pid}_${self.startedAt}_${randomUUID()}`);
    try {
      const written = await writeFlushed(partial, body, signal);
      await placeAt(path, partial, ifAbsent);
      return { key, ...written };
    } catch (error) {
      await rm(partial, { force: true });
      throw explained(error, key, folder);
    }
  };

  const info = async (key: string): Promise<ObjectInfo> => {
    const status = await stat(pathOf(key), { bigint: true }).catch(missing(key));
    if (!status.isFile()) throw notFound('object', key);
    const etag = `${status.mtimeNs.toString(36)}-${status.ino.toString(36)}-${status.size.toString(36)}`;
    return { key, sizeBytes: Number(status.size), etag, modifiedAt: status.mtime };
  };

  /** Opens the object, and finds its range in that very file: it may be replaced at any moment. */
  const openRange = async (key: string, { offset = 0, length = Infinity }: Range) => {
    const file = await open(pathOf(key), 'r').catch(missing(key));
    const status = await file.stat();
    const problem = status.isFile() ? rangeProblem(key, offset, status.size) : notFound('object', key);
    if (!problem) return { file, offset, length: Math.min(length, status.size - offset) };
    await file.close();
    throw problem;
  };

  async function* getStream(key: string, { signal, ...range }: Range & { signal?: AbortSignal } = {}) {
    const { file, offset, length } = await openRange(key, range);
    await using _ = file;
    for (let done = 0; done < length; done += chunkBytes) {
      signal?.throwIfAborted();
      yield await readWhole(file, offset + done, Math.min(chunkBytes, length - done));
    }
  }

  async function* list(prefix: string): AsyncGenerator<ObjectInfo> {
    const keys = await filesBelow(join(folder, checkPrefix(prefix)), folder);
    for (const key of keys.sort()) {
      const found = await info(key).catch(ignoreNotFound);
      if (found) yield found;
    }
  }

  const remove = async (path: string): Promise<void> => {
    await rm(path, { recursive: true, force: true });
    await removeEmptyParents(dirname(path), folder);
  };

  return {
    put,
    getStream,
    list,
    get: async (key, { signal, ...range } = {}) => {
      signal?.throwIfAborted();
      const { file, offset, length } = await openRange(key, range);
      await using _ = file;
      return readWhole(file, offset, length);
    },
    head: (key) => info(key).catch(ignoreNotFound),
    delete: async (key) => ((await info(key).catch(ignoreNotFound)) ? remove(pathOf(key)) : undefined),
    deletePrefix: (prefix) => remove(join(folder, checkPrefix(prefix))),
    withLocalFile: async (key, use) => {
      await info(key);
      return use(pathOf(key));
    },
    download: async (key, path) => {
      await copyFile(pathOf(key), path, constants.COPYFILE_FICLONE).catch(missing(key));
    },
    close: async () => undefined,
  };
}

async function writeFlushed(
  path: string,
  body: Body,
  signal?: AbortSignal,
): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  await using file = await open(path, 'wx');
  for await (const chunk of ArrayBuffer.isView(body) ? [body] : body) {
    signal?.throwIfAborted();
    hash.update(chunk);
    await writeWhole(file, chunk);
    sizeBytes += chunk.byteLength;
  }
  await file.sync();
  return { sizeBytes, sha256: hash.digest('hex') };
}

/** `write` may write less than it is given, and at most 2 GiB. */
async function writeWhole(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let offset = 0; offset < chunk.byteLength; ) {
    offset += (await file.write(chunk, offset, Math.min(chunk.byteLength - offset, 1 << 30))).bytesWritten;
  }
}

/** Moves the finished file to its key and flushes the folder. A concurrent delete may remove the folder in between: once more. */
async function placeAt(path: string, partial: string, ifAbsent: boolean, attempt = 1): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  try {
    if (ifAbsent) await link(partial, path).then(() => rm(partial));
    else await rename(partial, path);
    await flushFolder(dirname(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === 3) throw error;
    await placeAt(path, partial, ifAbsent, attempt + 1);
  }
}

async function flushFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

async function readWhole(file: FileHandle, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, 1 << 30), offset + done);
    if (bytesRead === 0)
      throw new AppError('DATA_LOSS', 'an object was cut while it was read: somebody changes its file by hand');
    done += bytesRead;
  }
  return bytes;
}

async function filesBelow(path: string, root: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(absentAsEmpty);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((key) => !key.startsWith(`${partialFolder}/`));
}

const absentAsEmpty = (error: NodeJS.ErrnoException): [] => {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
  throw error;
};

/** What a writer left that died; names begin with the writer's identity. */
async function removeLeftovers(partials: string): Promise<void> {
  for (const name of await readdir(partials)) {
    const [pid, startedAt = ''] = name.split('_');
    if (!isAlive({ pid: Number(pid), startedAt })) await rm(join(partials, name), { force: true });
  }
}

async function removeEmptyParents(path: string, root: string): Promise<void> {
  for (let folder = path; folder.startsWith(root + sep); folder = dirname(folder)) {
    try {
      await rmdir(folder);
    } catch {
      return;
    }
  }
}

function rangeProblem(key: string, offset: number, sizeBytes: number): AppError | undefined {
  if (offset < sizeBytes || offset === 0) return undefined;
  return new AppError('OUT_OF_RANGE', `object "${key}": offset ${offset} lies behind its ${sizeBytes} bytes`);
}

const missing =
  (key: string) =>
  (error: NodeJS.ErrnoException): never => {
    throw error.code === 'ENOENT' || error.code === 'ENOTDIR' ? notFound('object', key) : explained(error, key, '');
  };

const ignoreNotFound = (error: unknown): undefined => {
  if (fromUnknown(error).code !== 'NOT_FOUND') throw error;
  return undefined;
};

function explained(error: unknown, key: string, folder: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EEXIST') return new AppError('ALREADY_EXISTS', `object "${key}" exists already`, { cause: error });
  if (isDiskFull(error)) {
    return new AppError(
      'RESOURCE_EXHAUSTED',
      `no space left in ${folder} for object "${key}"; free some or move STRATA_HOME`,
      {
        cause: error,
      },
    );
  }
  return code === 'EISDIR' || code === 'ENOTEMPTY' || code === 'ENOTDIR'
    ? new AppError('FAILED_PRECONDITION', `object "${key}": another object is its folder, or it is another object's`, {
        cause: error,
      })
    : error;
}
