// Splits of datasets, opened: every shard is fetched and checked against its manifest once, then read at any place for as long as it is open.

import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { objectKeys } from '#lib/contracts/keys.ts';
import { openShards, type ShardPaths, type ShardReader } from '#lib/data/shard-reader.ts';
import type { SplitName } from '#lib/data/split.ts';
import { AppError } from '#lib/platform/errors.ts';
import { type Artifact, openArtifact } from '#lib/platform/manifest.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import { type DatasetMetadata, readMetadata } from './dataset-manifest.ts';

export interface OpenSplit {
  readonly ref: ArtifactRef;
  readonly metadata: DatasetMetadata;
  readonly artifact: Artifact;
  /** Without tokens where the dataset has nothing in this split. */
  readonly reader: ShardReader;
}

export interface OpenSplits {
  /** The version must be given. DATA_LOSS names a part that is missing or altered. Disposing lets it go. */
  open(ref: ArtifactRef, split: SplitName): Promise<OpenSplit & Disposable>;
  close(): Promise<void>;
}

interface Slot {
  opened: Promise<OpenSplit>;
  users: number;
}

/** Splits that nobody uses stay open, the last used ones of `maxOpen`. */
export function createOpenSplits({ objects, maxOpen }: { objects: ObjectStore; maxOpen: number }): OpenSplits {
  /** In the order of their last use. */
  const slots = new Map<string, Slot>();

  const shut = (key: string, { opened }: Slot): void => {
    slots.delete(key);
    void opened.then(
      ({ reader }) => reader.close(),
      () => undefined,
    );
  };
  const shutIdle = (): void => {
    for (const [key, slot] of slots) if (slots.size > maxOpen && slot.users === 0) shut(key, slot);
  };
  return {
    async open(ref, split) {
      const key = `${ref.name}@${ref.version}/${split}`;
      const slot = slots.get(key) ?? { opened: openSplit(objects, ref, split), users: 0 };
      slots.delete(key);
      slots.set(key, slot);
      slot.users++;
      let isUsed = true;
      const release = (): void => {
        if (isUsed) slot.users--;
        isUsed = false;
        shutIdle();
      };
      try {
        return { ...(await slot.opened), [Symbol.dispose]: release };
      } catch (error) {
        // The next caller tries again.
        if (slots.get(key) === slot) slots.delete(key);
        throw error;
      }
    },
    async close() {
      for (const [key, slot] of slots) shut(key, slot);
    },
  };
}

async function openSplit(objects: ObjectStore, ref: ArtifactRef, split: SplitName): Promise<OpenSplit> {
  const artifact = await openArtifact(objects, objectKeys.dataset(ref.name, ref.version));
  const metadata = readMetadata(artifact);
  const shards = metadata.splits.find(({ name }) => name === split)?.shards ?? [];
  const parts = shards.map(({ tokens, index }) => ({ tokens, ...(metadata.kind !== 'text' && { index }) }));
  const open = async (paths: ShardPaths[]): Promise<ShardReader> =>
    openShards({ shards: paths, tokenBytes: metadata.token_bytes });
  try {
    return { ref, metadata, artifact, reader: await withShards(artifact, parts, open) };
  } catch (error) {
    throw toDataLoss(error);
  }
}

/** An open file stays readable when its path is gone, so the reader outlives `use`. */
async function withShards<T>(
  artifact: Artifact,
  parts: readonly { tokens: string; index?: string }[],
  use: (shards: ShardPaths[]) => Promise<T>,
): Promise<T> {
  const [first, ...others] = parts;
  if (!first) return use([]);
  const name = `${artifact.prefix}/${first.tokens}`;
  const rest = (tokens: string, index?: string) =>
    withShards(artifact, others, (shards) => use([{ name, tokens, index }, ...shards]));
  return artifact.withLocalFile(first.tokens, (tokens) => {
    if (first.index === undefined) return rest(tokens);
    return artifact.withLocalFile(first.index, (index) => rest(tokens, index));
  });
}

/** lib/data knows no codes. */
export const toDataLoss = (error: unknown): unknown =>
  (error as Error).name === 'ShardError'
    ? new AppError('DATA_LOSS', (error as Error).message, { cause: error })
    : error;
