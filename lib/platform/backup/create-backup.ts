// A backup of an installation that may go on working: the state first, then the objects. Objects are immutable and written before the state that
// names them, so every object that the state of the archive names is in it. Last, the state that objects go on from (docs/decisions/0018-backup.md).
import { randomUUID } from 'node:crypto';
import type { Writable } from 'node:stream';
import { objectKeys } from '#lib/contracts/keys.ts';
import { failedPrecondition, hasCode } from '../errors.ts';
import type { KeyValue } from '../key-value.ts';
import type { ObjectInfo, ObjectStore } from '../object-store.ts';
import type { Platform } from '../platform.ts';
import {
  type BackupManifest,
  type BackupSummary,
  formatVersion,
  type Header,
  type OnProgress,
  paths,
  toSummary,
} from './archive-format.ts';
import { entriesOf, keptRoots, type NamedRoot } from './state-roots.ts';
import { type ArchiveWriter, createArchiveWriter } from './write-archive.ts';

export interface CreateOptions {
  signal?: AbortSignal;
  onProgress?: OnProgress;
  /** Whether the destination is ended with the archive. Default true. */
  end?: boolean;
}

/** Writes the whole archive, or throws: then what was written has no manifest, and no restore takes it. */
export async function createBackup(
  { state, objects }: Pick<Platform, 'state' | 'objects'>,
  destination: Writable,
  { signal, onProgress = () => undefined, end = true }: CreateOptions = {},
): Promise<BackupSummary> {
  if (await objects.head(objectKeys.unfinishedRestore)) {
    throw failedPrecondition(
      'a restore was interrupted here: finish it first (`strata backup restore` with the same archive)',
    );
  }
  const archive = createArchiveWriter(destination, { end });
  try {
    const header = {
      kind: 'strata-backup',
      format: formatVersion,
      id: randomUUID(),
      created_at: now(),
    } satisfies Header;
    await archive.addText(paths.header, toText(header));
    const written = { files: 0, entries: 0 };
    const addState = (roots: NamedRoot[]) => addRoots(archive, state, { roots, written, onProgress, signal });
    await addState(keptRoots.filter(({ isReadLast }) => !isReadLast));
    const stored = await addObjects(archive, objects, onProgress, signal);
    await addState(keptRoots.filter(({ isReadLast }) => isReadLast));
    const facts = { ...header, state_entries: written.entries, ...stored };
    await archive.addText(paths.manifest, toText({ ...facts, entries: [...archive.entries] } satisfies BackupManifest));
    await archive.finish();
    return toSummary(facts);
  } catch (error) {
    await archive.abandon();
    throw error;
  }
}

const now = (): string => new Date().toISOString();
const toText = (value: unknown): string => `${JSON.stringify(value)}\n`;

/** About so many characters of the state are held at once. */
const stateFileLength = 4_000_000;

interface AddRootsOptions {
  roots: readonly NamedRoot[];
  /** Counts go on from here. */
  written: { files: number; entries: number };
  onProgress: OnProgress;
  signal: AbortSignal | undefined;
}

async function addRoots(archive: ArchiveWriter, state: KeyValue, options: AddRootsOptions): Promise<void> {
  const { roots, written, onProgress, signal } = options;
  let lines: string[] = [];
  let length = 0;
  const flush = async (root: NamedRoot): Promise<void> => {
    if (!lines.length) return;
    const name = `${String(++written.files).padStart(4, '0')}-${root.name}.jsonl`;
    await archive.addText(paths.state + name, lines.join(''));
    [lines, length] = [[], 0];
  };
  for (const root of roots) {
    for await (const { key, value } of entriesOf(state, root)) {
      signal?.throwIfAborted();
      const line = toText({ key, value });
      lines.push(line);
      length += line.length;
      onProgress('state', ++written.entries, 0, 'entries');
      if (length >= stateFileLength) await flush(root);
    }
    await flush(root);
  }
}

async function addObjects(archive: ArchiveWriter, objects: ObjectStore, onProgress: OnProgress, signal?: AbortSignal) {
  const wanted = await listObjects(objects);
  const total = wanted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const added = { objects: 0, object_bytes: 0 };
  for (const { key } of wanted) {
    signal?.throwIfAborted();
    // Checkpoints and uploads that have become superfluous meanwhile are no longer there.
    const found = await objects.head(key);
    if (!found || !(await addObject(archive, objects, found))) continue;
    added.objects += 1;
    added.object_bytes += found.sizeBytes;
    onProgress('objects', added.object_bytes, total, 'bytes');
  }
  return added;
}

/**
 * Manifests are listed first and the rest afterwards, so an artefact that is being written meanwhile is in the archive whole, or has no manifest.
 * What is replaced while work goes on, the checkpoints, is read first.
 */
async function listObjects(objects: ObjectStore): Promise<ObjectInfo[]> {
  const list = async (isWanted: (key: string) => boolean): Promise<ObjectInfo[]> => {
    const found: ObjectInfo[] = [];
    for await (const info of objects.list('')) if (isWanted(info.key)) found.push(info);
    return found;
  };
  const manifests = await list(isManifest);
  const rest = await list((key) => !isManifest(key));
  const all = [...rest, ...manifests];
  return [...all.filter(isOfRun), ...all.filter((info) => !isOfRun(info))];
}

const isManifest = (key: string): boolean => key.endsWith('/manifest.json');
const isOfRun = ({ key }: ObjectInfo): boolean => key.startsWith('runs/');

/** False where it is gone. */
async function addObject(
  archive: ArchiveWriter,
  objects: ObjectStore,
  { key, sizeBytes }: ObjectInfo,
): Promise<boolean> {
  const chunks = objects.getStream(key)[Symbol.asyncIterator]();
  const first = await chunks.next().catch((error) => {
    if (hasCode(error, 'NOT_FOUND')) return undefined;
    throw error;
  });
  if (!first) return false;
  await archive.add(paths.objects + key, sizeBytes, resumed(first, chunks));
  return true;
}

async function* resumed<T>(first: IteratorResult<T>, rest: AsyncIterator<T>): AsyncGenerator<T> {
  for (let result = first; !result.done; result = await rest.next()) yield result.value;
}
