// Upload the files, ingest, report progress: used by `strata dataset create` and by the demo.
import { randomUUID } from 'node:crypto';
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { type Dataset, type DatasetKind, Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { Context } from '../context.ts';
import { formatCount } from '../output.ts';
import { uploadSources } from './upload-sources.ts';

export interface CreateDatasetOptions {
  name: string;
  kind: DatasetKind;
  tokenizer: ArtifactRef;
  /** Local files; `split` pins all of a file's rows to one part. */
  files: { path: string; split?: Split }[];
  validationShare?: number;
  testShare?: number;
  contiguousSplit?: boolean;
  keepDuplicates?: boolean;
  seed?: number;
  documentSeparator?: string;
  maxRowTokens?: number;
  /** Role -> column, where the usual names do not say. */
  columns?: Record<string, string>;
  labelNames?: string[];
  requestId?: string;
}

export async function createDataset(context: Context, options: CreateDatasetOptions): Promise<Dataset> {
  const { files, requestId = randomUUID(), ...settings } = options;
  const { dataSampler } = await context.services();
  const bar = context.output.progress(`dataset ${options.name}`);
  const objects = await uploadSources(
    context,
    files.map(({ path }) => path),
    (progress) => bar.update(progress),
  );
  const sources = objects.map((object, index) => ({ object, split: files[index]?.split ?? Split.SPLIT_UNSPECIFIED }));
  const request = { requestId, ...settings, sources };
  for await (const { event } of dataSampler.createDataset(request, { signal: context.signal })) {
    if (event?.$case === 'progress') bar.update(event.value);
    if (event?.$case === 'dataset') {
      const tokens = event.value.splits.reduce((sum, split) => sum + split.tokens, 0);
      bar.done(`${formatCount(tokens)} tokens`);
      return event.value;
    }
  }
  throw new AppError('INTERNAL', `dataset ${options.name}: the stream ended before the dataset came: try again`);
}
