// Folders of the cache that appear whole or not at all: filled beside their place, marked with the size of every file, renamed into it.
// A folder without its marker, or with other sizes than it says, counts as absent.
import { mkdir, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError, isDiskFull } from '../errors.ts';
import { withFileLock } from './file-lock.ts';

const marker = '.complete.json';

type Sizes = Record<string, number>;

async function sizesIn(folder: string): Promise<Sizes> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name !== marker);
  const sizes = await Promise.all(
    files.map(async ({ parentPath, name }) => {
      const file = join(parentPath, name);
      return [file.slice(folder.length + 1), (await stat(file)).size] as const;
    }),
  );
  return Object.fromEntries(sizes);
}

/** Whether the folder is there and has the files it was installed with: a few calls to the file system. */
export async function isInstalled(folder: string): Promise<boolean> {
  try {
    const sizes = JSON.parse(await readFile(join(folder, marker), 'utf8')) as Sizes;
    const found = await Promise.all(Object.keys(sizes).map(async (file) => (await stat(join(folder, file))).size));
    return Object.values(sizes).every((size, i) => size === found[i]);
  } catch {
    return false;
  }
}

export interface InstallOptions {
  /** What `fill` will write at most, to be told before that the disk is too small. */
  neededBytes: number;
  onWait?: () => void;
  signal?: AbortSignal | undefined;
}

/** Makes `folder` by `fill`, which is given an empty folder to write to, unless it is there already. Safe between processes. */
export async function installFolder(
  folder: string,
  fill: (unfinished: string) => Promise<void>,
  { neededBytes, ...lockOptions }: InstallOptions,
): Promise<void> {
  if (await isInstalled(folder)) return;
  const unfinished = `${folder}.unfinished`;
  try {
    await mkdir(dirname(folder), { recursive: true });
    await withFileLock(`${folder}.lock`, () => install(folder, unfinished, fill, neededBytes), lockOptions);
  } catch (error) {
    throw diskError(error, folder) ?? error;
  }
}

async function install(folder: string, unfinished: string, fill: (to: string) => Promise<void>, needed: number) {
  if (await isInstalled(folder)) return;
  await rm(unfinished, { recursive: true, force: true });
  await checkRoom(folder, needed);
  try {
    await mkdir(unfinished);
    await fill(unfinished);
    await writeFile(join(unfinished, marker), `${JSON.stringify(await sizesIn(unfinished), null, 2)}\n`);
    await rm(folder, { recursive: true, force: true });
    await rename(unfinished, folder);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;

async function checkRoom(folder: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(folder));
  if (bavail * bsize >= needed) return;
  const room = `${megabytes(needed)} are needed in ${dirname(folder)}, ${megabytes(bavail * bsize)} are free`;
  throw new AppError('RESOURCE_EXHAUSTED', `the disk is full: ${room}; ${otherDisk}`);
}

const otherDisk = 'set STRATA_CACHE_DIR to a folder on another disk';

function diskError(error: unknown, folder: string): AppError | undefined {
  if (isDiskFull(error)) {
    return new AppError('RESOURCE_EXHAUSTED', `the disk of ${dirname(folder)} is full; ${otherDisk}`, { cause: error });
  }
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (['EACCES', 'EROFS', 'EPERM'].includes(code)) {
    const message = `${dirname(folder)} cannot be written to (${code}); set STRATA_CACHE_DIR to a folder of yours`;
    return new AppError('PERMISSION_DENIED', message, { cause: error });
  }
  return undefined;
}
