// Texts and rows -> tokenizers and datasets, through the services.
import type { ArtifactRef, ObjectRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import {
  type CreateDatasetRequest,
  type Dataset,
  DatasetKind,
} from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { TokenizerKind } from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
import type { TrainingServices } from './services.ts';

export async function upload(
  { dataSampler }: Pick<TrainingServices, 'dataSampler'>,
  filename: string,
  content: string | Uint8Array,
): Promise<ObjectRef> {
  async function* parts() {
    yield { part: { $case: 'header' as const, value: { filename, sizeBytes: 0, sha256: '' } } };
    const bytes = Buffer.from(content);
    for (let at = 0; at < bytes.length; at += 1 << 20) {
      yield { part: { $case: 'chunk' as const, value: bytes.subarray(at, at + (1 << 20)) } };
    }
  }
  const { source } = await dataSampler.uploadSource(parts());
  if (!source) throw new Error('the upload gave no reference');
  return source;
}

/** Every character of the sources; `specialTokens` beside them. */
export async function makeCharTokenizer(
  { tokenizer }: Pick<TrainingServices, 'tokenizer'>,
  { name, sources, specialTokens = [] }: { name: string; sources: ObjectRef[]; specialTokens?: string[] },
): Promise<ArtifactRef> {
  const kind = TokenizerKind.TOKENIZER_KIND_CHAR;
  const events = tokenizer.trainTokenizer({ requestId: name, name, kind, sources, specialTokens });
  return last(events, (event) => (event?.$case === 'tokenizer' ? event.value.ref : undefined));
}

export async function makeDataset(
  { dataSampler }: Pick<TrainingServices, 'dataSampler'>,
  request: Partial<CreateDatasetRequest> & { name: string },
): Promise<Dataset> {
  const events = dataSampler.createDataset({
    requestId: request.name,
    kind: DatasetKind.DATASET_KIND_TEXT,
    ...request,
  });
  return last(events, (event) => (event?.$case === 'dataset' ? event.value : undefined));
}

/** What the last event of a stream carries. */
async function last<E, T>(
  responses: AsyncIterable<{ event?: E | undefined }>,
  of: (event: E | undefined) => T | undefined,
): Promise<T> {
  let found: T | undefined;
  for await (const { event } of responses) found = of(event) ?? found;
  if (found === undefined) throw new Error('the stream ended without its result');
  return found;
}
