// Where a backup goes: an installation in which nobody has made anything, one whose restore was interrupted, or with `force` any, whose state is dropped.
import { z } from 'zod';
import { objectKeys } from '#lib/contracts/keys.ts';
import { failedPrecondition, hasCode } from '../errors.ts';
import { inBatches } from '../in-batches.ts';
import type { ObjectStore } from '../object-store.ts';
import type { Platform } from '../platform.ts';
import type { Header } from './archive-format.ts';
import { entriesOf, stateRoots } from './state-roots.ts';

export type Target = Pick<Platform, 'state' | 'objects' | 'events'>;

/** Lies in the target from the first object to the last entry of the state. */
const markerSchema = z.object({ id: z.string(), replaces: z.boolean() });
type Marker = z.output<typeof markerSchema>;

/**
 * Marks the target as being restored: whether what it held is replaced.
 * @throws {AppError} FAILED_PRECONDITION where something is there
 */
export async function beginRestore(target: Target, { id }: Header, force: boolean): Promise<boolean> {
  const interrupted = await readMarker(target.objects);
  const goesOn = interrupted?.id === id;
  if (!force && !goesOn) await refuseUnlessEmpty(target, interrupted);
  const replaces = force || (goesOn && interrupted.replaces);
  const marker = { id, replaces } satisfies Marker;
  await target.objects.put(objectKeys.unfinishedRestore, Buffer.from(JSON.stringify(marker)));
  if (replaces) await forgetAll(target);
  return replaces;
}

export const endRestore = ({ objects }: Target): Promise<void> => objects.delete(objectKeys.unfinishedRestore);

async function readMarker(objects: ObjectStore): Promise<Marker | undefined> {
  try {
    const bytes = await objects.get(objectKeys.unfinishedRestore);
    return markerSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

async function refuseUnlessEmpty(target: Target, interrupted: Marker | undefined): Promise<void> {
  const found = interrupted ? 'the restore of another backup was interrupted there' : await whatIsThere(target);
  if (!found) return;
  const hint = '--force replaces everything there by what the archive holds';
  throw failedPrecondition(`the target is not empty: ${found}; ${hint}`);
}

/** The first thing that somebody has made there. */
async function whatIsThere({ state, objects }: Target): Promise<string | undefined> {
  const byItself = new Set<string>();
  for (const { name, comesByItself } of stateRoots) {
    for (const entry of await state.list(name)) {
      if (!comesByItself?.(entry)) return `it has the state "${entry.key}"`;
      byItself.add(entry.key.replace('.', '/'));
    }
  }
  for await (const { key } of objects.list('')) {
    // `tokenizers/gpt2/v1/…` belongs to `tokenizers.gpt2`.
    const owner = key.split('/', 2).join('/');
    if (!byItself.has(owner)) return `it has the object "${key}"`;
  }
  return undefined;
}

/** From now on nothing of what was there counts. Events go too: an event of the past swallows its repetitions. */
async function forgetAll({ state, events }: Target): Promise<void> {
  // What is listed by another root goes before it.
  for (const root of stateRoots.toReversed())
    await inBatches(entriesOf(state, root), 32, ({ key }) => state.delete(key));
  await events.clear();
}
