// What TrainTokenizer accepts, and what it means.
import { createHash } from 'node:crypto';
import type { ObjectRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { TokenizerKind, TrainTokenizerRequest } from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
import { check, nameProblem, type Problem } from '#lib/platform/check.ts';
import { createId } from '#lib/platform/ids.ts';
import { inBatches } from '#lib/platform/in-batches.ts';
import { checkObjectKey, type ObjectStore } from '#lib/platform/object-store.ts';
import { defaultSpecialTokens } from '#lib/text/default-roles.ts';
import { builtInNames } from './built-ins.ts';
import type { Origin } from './registry.ts';
import type { TrainOptions } from './train.worker.ts';

const largestVocabulary = 1_000_000;
const mostSpecialTokens = 1000;
const longestSpecialToken = 128;

/** INVALID_ARGUMENT names every wrong field. */
export const toTrainOptions = (request: TrainTokenizerRequest): TrainOptions => {
  const { name, kind, vocabSize, sources } = request;
  const specialTokens = request.specialTokens.length ? request.specialTokens : [...defaultSpecialTokens];
  const isBpe = kind === TokenizerKind.TOKENIZER_KIND_BYTE_BPE;
  check({
    name: nameProblem(name) || (builtInNames.includes(name) && `"${name}" is the name of a built-in tokenizer`),
    kind: !isBpe && kind !== TokenizerKind.TOKENIZER_KIND_CHAR && 'must be BYTE_BPE or CHAR',
    vocab_size: isBpe && vocabSizeProblem(vocabSize, specialTokens.length),
    sources: sources.length === 0 && 'must name at least one uploaded text file',
    special_tokens: specialTokensProblem(specialTokens),
    ...Object.fromEntries(sources.map((source, i) => [`sources[${i}].key`, keyProblem(source)])),
  });
  return { kind: isBpe ? 'byte-bpe' : 'char', vocabSize, specialTokens };
};

const vocabSizeProblem = (size: number, specials: number): Problem => {
  const smallest = 256 + specials;
  return (
    (size < smallest || size > largestVocabulary) &&
    `must be from ${smallest} (256 bytes and ${specials} special tokens) to ${largestVocabulary}; it is ${size}`
  );
};

const specialTokensProblem = (tokens: readonly string[]): Problem => {
  if (tokens.length > mostSpecialTokens) return `must be at most ${mostSpecialTokens}`;
  const wrong = tokens.find((token) => token.length < 2 || token.length > longestSpecialToken);
  if (wrong !== undefined)
    return `must have 2 to ${longestSpecialToken} characters each; one is ${JSON.stringify(wrong)}`;
  const twice = tokens.find((token, i) => tokens.indexOf(token) < i);
  return twice !== undefined && `${JSON.stringify(twice)} stands there twice`;
};

const keyProblem = ({ key }: ObjectRef): Problem =>
  !key.startsWith('uploads/') && `must be an uploaded file (UploadSource); it is ${JSON.stringify(key)}`;

/** Sizes in bytes. INVALID_ARGUMENT names sources that do not exist. */
export const sizesOf = async (sources: readonly ObjectRef[], objects: ObjectStore): Promise<number[]> => {
  const keys = sources.map(({ key }) => checkObjectKey(key));
  const found = await inBatches(keys, 16, (key) => objects.head(key));
  check(Object.fromEntries(found.map((info, i) => [`sources[${i}].key`, !info && 'there is no such object'])));
  return found.map((info) => info?.sizeBytes ?? 0);
};

/** Without a request_id every request is one of its own. */
export const originOf = (request: TrainTokenizerRequest): Origin => ({
  requestId: request.requestId || createId(),
  requestSha256: createHash('sha256').update(TrainTokenizerRequest.encode(request).finish()).digest('hex'),
});
