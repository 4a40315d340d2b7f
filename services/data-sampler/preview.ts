// PreviewMixture: the first samples of a mixture as text, and what share each dataset gets.
import type {
  PreviewMixtureRequest,
  PreviewMixtureResponse,
} from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import type { Order } from '#lib/data/order.ts';
import { check } from '#lib/platform/check.ts';
import { createWorker } from '#lib/platform/worker-call.ts';
import type { TokenizerFiles } from '#lib/text/tokenizer-files.ts';
import { splitNameOf } from './dataset-manifest.ts';
import { mixtureProblems, type OpenMixture, orderOf } from './open-mixture.ts';
import type { OpenSplit } from './open-splits.ts';
import type { PreviewMethods } from './preview.worker.ts';
import { pack } from './stream-batches.ts';

const mostSamples = 100;
const longestBlock = 1 << 20;

/** INVALID_ARGUMENT names every wrong field. */
export function checkPreviewRequest({ mixture, split, samples, blockSize }: PreviewMixtureRequest): void {
  check({
    ...mixtureProblems(mixture),
    split: !splitNameOf(split) && 'must be TRAIN, VALIDATION or TEST',
    samples: samples > mostSamples && `must be at most ${mostSamples}`,
    block_size: !(blockSize >= 1 && blockSize <= longestBlock) && `must be from 1 to ${longestBlock}`,
  });
}

interface PreviewSample {
  part: OpenSplit;
  ids: Int32Array;
  /** Only those that carry loss. */
  lossIds: Int32Array;
  label: string;
}

export async function previewMixture(
  request: PreviewMixtureRequest,
  { kind, parts }: OpenMixture,
  signal: AbortSignal,
): Promise<PreviewMixtureResponse> {
  const { mixture, seed, blockSize, samples: count } = request;
  const order = orderOf({ parts, mixture, seed, blockSize });
  const drawn = Array.from({ length: count }, (_, i): PreviewSample => {
    const { part, position } = order.at(i);
    const split = parts[part] as OpenSplit;
    const sheet = pack(kind, [{ reader: split.reader, position }], blockSize);
    const [length = 0] = sheet.lengths;
    const ids = sheet.inputs.subarray(0, length);
    if ('labels' in sheet) {
      return { part: split, ids, lossIds: ids, label: split.metadata.label_names[sheet.labels[0] ?? -1] ?? '' };
    }
    const all = Int32Array.of(...ids, sheet.targets[length - 1] ?? 0);
    const lossIds = sheet.targets.subarray(0, length).filter((_, i) => sheet.mask?.[i] ?? 1);
    return { part: split, ids: kind === 'text' ? ids : all, lossIds: kind === 'text' ? ids : lossIds, label: '' };
  });
  const texts = await decode(
    parts[0] as OpenSplit,
    drawn.flatMap(({ ids, lossIds }) => [ids, lossIds]),
    signal,
  );
  const samples = drawn.map(({ part, label }, i) => ({
    dataset: part.ref,
    text: texts[2 * i] ?? '',
    lossText: texts[2 * i + 1] ?? '',
    label,
  }));
  return { samples, shares: sharesOf(order, parts) };
}

const sharesOf = ({ shares, epochSizes }: Order, parts: readonly OpenSplit[]): PreviewMixtureResponse['shares'] =>
  parts.map(({ ref }, i) => {
    const [share, size] = [shares[i] ?? 0, epochSizes[i] ?? 1];
    return { dataset: ref, share, epochsPerMillionSamples: (share * 1e6) / size };
  });

/** By the tokenizer that the dataset carries with it. */
async function decode({ artifact }: OpenSplit, rows: Int32Array[], signal: AbortSignal): Promise<string[]> {
  if (rows.length === 0) return [];
  const files: TokenizerFiles = {
    'tokenizer.json': await artifact.readText('tokenizer.json'),
    'tokenizer_config.json': artifact.has('tokenizer_config.json')
      ? await artifact.readText('tokenizer_config.json')
      : undefined,
  };
  const worker = createWorker<PreviewMethods>(new URL('./preview.worker.ts', import.meta.url));
  try {
    return await worker.call('decode', { files, rows }, { signal });
  } finally {
    await worker.close();
  }
}
