// Uploaded files are of use until they are imported, ingested or trained on, soon after they came. What is older than some days is removed,
// at start and then daily; a bucket's own rules may do the same. Uploading a file again makes it young again.
import { setTimeout as delay } from 'node:timers/promises';
import { objectKeys } from '#lib/contracts/keys.ts';
import { isAbortError } from './errors.ts';
import type { Logger } from './log.ts';
import type { ObjectStore } from './object-store.ts';

export interface OldUploadsOptions {
  objects: ObjectStore;
  keepDays: number;
}

const dayMs = 86_400_000;

/** Removes what is older than `keepDays`: how many files. Generous on purpose, so that nothing is being read. */
export async function removeOldUploads({ objects, keepDays }: OldUploadsOptions, now: number): Promise<number> {
  const isOld = (modifiedAt: Date): boolean => now - modifiedAt.getTime() > keepDays * dayMs;
  let removed = 0;
  for await (const { key, modifiedAt } of objects.list(objectKeys.uploads)) {
    if (!isOld(modifiedAt)) continue;
    // A listing may be a while ago: somebody may have uploaded it again since.
    const current = await objects.head(key);
    if (!current || !isOld(current.modifiedAt)) continue;
    await objects.delete(key);
    removed++;
  }
  return removed;
}

/** Does so now and every day until aborted. */
export async function keepRemovingOldUploads(
  options: OldUploadsOptions & { log: Logger; signal: AbortSignal },
): Promise<void> {
  const { log, signal, keepDays } = options;
  while (!signal.aborted) {
    try {
      const removed = await removeOldUploads(options, Date.now());
      if (removed) log.info({ removed, keepDays }, 'old uploads removed');
    } catch (error) {
      log.warn({ error }, 'old uploads could not be removed; trying again tomorrow');
    }
    await delay(dayMs, undefined, { signal, ref: false }).catch((error) => {
      if (!isAbortError(error)) throw error;
    });
  }
}
