// What a dataset's manifest says beside its parts, and the dataset as the contract describes it.
import { z } from 'zod';
import { type Dataset, DatasetKind, Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { type DataKind, dataKinds } from '#lib/data/columns.ts';
import { type SplitName, splitNames } from '#lib/data/split.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { StoredManifest } from '#lib/platform/manifest.ts';

const counts = z.record(z.string(), z.number());

const splitSchema = z.object({
  name: z.enum(splitNames),
  documents: z.number(),
  tokens: z.number(),
  loss_tokens: z.number(),
  bytes: z.number(),
  labels: counts,
  /** Parts of the artefact, in the order of their tokens. */
  shards: z.array(z.object({ tokens: z.string(), index: z.string(), token_count: z.number(), row_count: z.number() })),
});

export const metadataSchema = z.object({
  kind: z.enum(dataKinds),
  tokenizer: z.object({ name: z.string(), version: z.string(), sha256: z.string() }),
  vocab_size: z.number(),
  token_bytes: z.literal([2, 4]),
  splits: z.array(splitSchema),
  label_names: z.array(z.string()),
  dropped: counts,
  dropped_rows: z.array(z.object({ reason: z.string(), source: z.string(), line: z.number() })),
  /** The request's, with their defaults. */
  settings: z.record(z.string(), z.unknown()),
  sources: z.array(z.object({ key: z.string(), sha256: z.string(), size_bytes: z.number(), split: z.string() })),
});

export type DatasetMetadata = z.output<typeof metadataSchema>;
export type SplitMetadata = z.output<typeof splitSchema>;

/** @throws {AppError} DATA_LOSS for a manifest that is no dataset's */
export function readMetadata({ manifest }: StoredManifest): DatasetMetadata {
  const parsed = metadataSchema.safeParse(manifest.metadata);
  if (manifest.kind === 'dataset' && parsed.success) return parsed.data;
  const why = parsed.success ? `it is a ${manifest.kind}'s` : z.prettifyError(parsed.error);
  throw new AppError('DATA_LOSS', `the manifest of dataset ${manifest.name}@${manifest.version} is damaged: ${why}`);
}

export const kindNames = {
  [DatasetKind.DATASET_KIND_TEXT]: 'text',
  [DatasetKind.DATASET_KIND_LABELLED]: 'labelled',
  [DatasetKind.DATASET_KIND_INSTRUCTIONS]: 'instructions',
} as const satisfies Partial<Record<DatasetKind, DataKind>>;

const kinds: Record<DataKind, DatasetKind> = {
  text: DatasetKind.DATASET_KIND_TEXT,
  labelled: DatasetKind.DATASET_KIND_LABELLED,
  instructions: DatasetKind.DATASET_KIND_INSTRUCTIONS,
};

const splits: Record<SplitName, Split> = {
  train: Split.SPLIT_TRAIN,
  validation: Split.SPLIT_VALIDATION,
  test: Split.SPLIT_TEST,
};

/** undefined: unspecified. */
export const splitNameOf = (split: Split): SplitName | undefined => splitNames.find((name) => splits[name] === split);

export function toDataset(stored: StoredManifest): Dataset {
  const { manifest, sha256 } = stored;
  const metadata = readMetadata(stored);
  const { name, version, sha256: tokenizerSha256 } = metadata.tokenizer;
  return {
    ref: { name: manifest.name, version: manifest.version },
    kind: kinds[metadata.kind],
    tokenizer: { name, version },
    tokenizerSha256,
    vocabSize: metadata.vocab_size,
    splits: metadata.splits.map(({ name, loss_tokens: lossTokens, shards, ...statistics }) => ({
      ...statistics,
      split: splits[name],
      lossTokens,
    })),
    labelNames: metadata.label_names,
    dropped: metadata.dropped,
    droppedRows: metadata.dropped_rows,
    sha256,
    createTime: manifest.created_at,
  };
}
