// What CreateDataset accepts, and what it means with its defaults.
import { createHash } from 'node:crypto';
import { CreateDatasetRequest, type Source, Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import type { BuildOptions } from '#lib/data/build-dataset.ts';
import { roles } from '#lib/data/columns.ts';
import { type SourceFormat, sourceFormats } from '#lib/data/source.ts';
import { check, nameProblem, type Problem } from '#lib/platform/check.ts';
import { createId } from '#lib/platform/ids.ts';
import { inBatches } from '#lib/platform/in-batches.ts';
import { checkObjectKey, type ObjectStore } from '#lib/platform/object-store.ts';
import { kindNames, splitNameOf } from './dataset-manifest.ts';
import type { Origin } from './dataset-store.ts';

/** The settings of lib/data/build-dataset.ts that come from the request. */
export type BuildSettings = Omit<BuildOptions, 'sources' | 'tokenizer' | 'folder' | 'shardTokens' | 'onProgress'>;

const defaultValidationShare = 0.1;
const defaultRowTokens = 1024;
const longestRowTokens = 1 << 20;

/** INVALID_ARGUMENT names every wrong field. */
export function toSettings(request: CreateDatasetRequest): BuildSettings {
  const { name, kind, sources, columns, labelNames, contiguousSplit, maxRowTokens } = request;
  const kindName = kindNames[kind as keyof typeof kindNames];
  const pinned = sources.some(({ split }) => splitNameOf(split));
  const validation = request.validationShare ?? (pinned ? 0 : defaultValidationShare);
  const test = request.testShare ?? 0;
  const isRole = (role: string): boolean => roles.some((known) => known === role);
  check({
    name: nameProblem(name),
    kind: !kindName && 'must be TEXT, LABELLED or INSTRUCTIONS',
    sources: sources.length === 0 && 'must name at least one uploaded file (UploadSource)',
    validation_share: shareProblem(validation),
    test_share: shareProblem(test) || (validation + test > 1 && 'is more than what validation leaves'),
    contiguous_split: contiguousSplit && kindName !== 'text' && 'is for text: rows are not cut',
    max_row_tokens: maxRowTokens > longestRowTokens && `must be at most ${longestRowTokens}`,
    label_names:
      labelNames.length > 0 &&
      ((kindName !== 'labelled' && 'is for labelled rows') ||
        (new Set(labelNames).size < labelNames.length && 'has a name twice')),
    columns: Object.keys(columns).some((role) => !isRole(role)) && `has keys other than ${roles.join(', ')}`,
    ...Object.assign({}, ...sources.map(sourceProblems)),
  });
  return {
    kind: kindName,
    shares: { validation, test },
    contiguous: contiguousSplit,
    seed: request.seed,
    keepDuplicates: request.keepDuplicates,
    columns,
    separator: request.documentSeparator,
    maxRowTokens: maxRowTokens || defaultRowTokens,
    labelNames,
  };
}

const shareProblem = (share: number): Problem => !(share >= 0 && share <= 1) && `must be from 0 to 1; it is ${share}`;

const sourceProblems = ({ object, format, split }: Source, i: number): Record<string, Problem> => ({
  [`sources[${i}].object`]: !object?.key && 'must name an uploaded file',
  [`sources[${i}].format`]:
    format !== '' && !isFormat(format) && `must be ${sourceFormats.join(', ')} or empty; it is "${format}"`,
  [`sources[${i}].split`]: split !== Split.SPLIT_UNSPECIFIED && !splitNameOf(split) && `${split} is no value of Split`,
});

export const isFormat = (format: string): format is SourceFormat => sourceFormats.some((known) => known === format);

/** Sizes in bytes, for the progress: as the references tell, and the store where they do not. INVALID_ARGUMENT names what is not there then. */
export async function sizesOf(sources: readonly Source[], objects: ObjectStore): Promise<number[]> {
  const refs = sources.map(({ object }) => ({ key: checkObjectKey(object?.key ?? ''), sizeBytes: object?.sizeBytes }));
  const sizes = await inBatches(
    refs,
    16,
    async ({ key, sizeBytes }) => sizeBytes || (await objects.head(key))?.sizeBytes,
  );
  const problem = (size: number | undefined): Problem => size === undefined && 'there is no such object: upload it';
  check(Object.fromEntries(sizes.map((size, i) => [`sources[${i}].object`, problem(size)])));
  return sizes.map((size) => size ?? 0);
}

/** Without a request_id every request is one of its own. */
export const originOf = (request: CreateDatasetRequest): Origin => ({
  requestId: request.requestId || createId(),
  requestSha256: createHash('sha256').update(CreateDatasetRequest.encode(request).finish()).digest('hex'),
});
