// Restoring a backup: every object, then the check of all that was read, then the state. Services go by the state, so nothing that is restored by half
// is ever trusted; an interrupted restore is done again with the same archive (docs/decisions/0018-backup.md).
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { objectKeys } from '#lib/contracts/keys.ts';
import { inBatches } from '../in-batches.ts';
import type { KeyValue } from '../key-value.ts';
import type { ObjectStore } from '../object-store.ts';
import {
  type BackupManifest,
  type BackupSummary,
  type Header,
  lineSchema,
  type OnProgress,
  paths,
  toSummary,
} from './archive-format.ts';
import { type ArchiveFile, readArchive } from './read-archive.ts';
import { beginRestore, endRestore, type Target } from './restore-target.ts';

export interface RestoreOptions {
  /** Replaces what is there: its state and events are dropped first, and objects that the archive does not hold at the end. */
  force?: boolean;
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

/** DATA_LOSS where the archive is not whole: then there is no state, and the target counts for nothing until a restore has come to its end. */
export async function restoreBackup(
  target: Target,
  source: Readable,
  { force = false, signal, onProgress }: RestoreOptions = {},
): Promise<BackupSummary> {
  const folder = await mkdtemp(join(tmpdir(), 'strata-restore-'));
  const stateFiles: string[] = [];
  let replaces = force;
  const header = async (found: Header): Promise<void> => {
    replaces = await beginRestore(target, found, force);
  };
  const file = async ({ path, content }: ArchiveFile): Promise<void> => {
    signal?.throwIfAborted();
    if (path.startsWith(paths.objects)) {
      await target.objects.put(path.slice(paths.objects.length), content, signal ? { signal } : {});
    } else {
      await pipeline(content, createWriteStream(join(folder, String(stateFiles.length)), { mode: 0o600 }));
      stateFiles.push(join(folder, String(stateFiles.length)));
    }
  };
  try {
    const manifest = await readArchive(source, { header, file }, onProgress);
    if (replaces) await removeOthers(target.objects, manifest);
    await putState(target.state, stateFiles, manifest, onProgress);
    await endRestore(target);
    return toSummary(manifest);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What is made anew takes its old number, and would find the files of another time there. */
async function removeOthers(objects: ObjectStore, { entries }: BackupManifest): Promise<void> {
  const kept = new Set(entries.map(({ path }) => path));
  for await (const { key } of objects.list('')) {
    if (!kept.has(paths.objects + key) && key !== objectKeys.unfinishedRestore) await objects.delete(key);
  }
}

/** The last file first: what is named before what names it. */
async function putState(
  state: KeyValue,
  files: readonly string[],
  { state_entries: total }: BackupManifest,
  onProgress?: OnProgress,
): Promise<void> {
  let done = 0;
  for (const path of files.toReversed()) {
    const lines = (await readFile(path, 'utf8')).split('\n').filter(Boolean);
    await inBatches(lines, 32, async (line) => {
      const { key, value } = lineSchema.parse(JSON.parse(line));
      await state.put(key, value);
      onProgress?.('state', ++done, total, 'entries');
    });
  }
}
