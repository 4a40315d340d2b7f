// The parts of a mixture, found, opened, and checked to fit together.
import type { MixturePart } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import type { DataKind } from '#lib/data/columns.ts';
import { createOrder, type Order, type Supply } from '#lib/data/order.ts';
import type { SplitName } from '#lib/data/split.ts';
import { check, nameProblem, type Problem, versionProblem } from '#lib/platform/check.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { DatasetStore } from './dataset-store.ts';
import type { OpenSplit, OpenSplits } from './open-splits.ts';

export interface OpenMixture extends Disposable {
  readonly kind: DataKind;
  readonly parts: readonly OpenSplit[];
}

export interface MixtureOptions {
  mixture: readonly MixturePart[];
  split: SplitName;
  datasets: DatasetStore;
  splits: OpenSplits;
}

export const mixtureProblems = (mixture: readonly MixturePart[]): Record<string, Problem> => ({
  mixture: mixture.length === 0 && 'must name at least one dataset',
  ...Object.assign(
    {},
    ...mixture.map(({ dataset, weight }, i) => ({
      [`mixture[${i}].dataset.name`]: nameProblem(dataset?.name ?? ''),
      [`mixture[${i}].dataset.version`]: versionProblem(dataset?.version ?? ''),
      [`mixture[${i}].weight`]: !(weight >= 0 && weight < Infinity) && `must be 0 or more; it is ${weight}`,
    })),
  ),
});

/** Disposing lets the parts go. NOT_FOUND, INVALID_ARGUMENT and DATA_LOSS name the dataset. */
export async function openMixture({ mixture, split, datasets, splits }: MixtureOptions): Promise<OpenMixture> {
  const stack = new DisposableStack();
  try {
    const parts: OpenSplit[] = [];
    for (const { dataset } of mixture) {
      const { ref } = await datasets.get(dataset ?? { name: '', version: '' });
      parts.push(stack.use(await splits.open(ref ?? { name: '', version: '' }, split)));
    }
    checkTogether(parts);
    checkFilled(parts, split);
    const [first] = parts as [OpenSplit];
    return { kind: first.metadata.kind, parts, [Symbol.dispose]: () => stack.dispose() };
  } catch (error) {
    stack.dispose();
    throw error;
  }
}

const nameOf = ({ ref }: OpenSplit): string => `${ref.name}@${ref.version}`;

function checkTogether(parts: readonly OpenSplit[]): void {
  const [first, ...others] = parts as [OpenSplit, ...OpenSplit[]];
  const problem = ({ metadata, ...part }: OpenSplit): Problem => {
    const [name, other] = [nameOf({ metadata, ...part }), nameOf(first)];
    if (metadata.kind !== first.metadata.kind) {
      return `${name} holds ${metadata.kind}, ${other} holds ${first.metadata.kind}: a mixture is of one kind`;
    }
    if (metadata.tokenizer.sha256 !== first.metadata.tokenizer.sha256) {
      return `${name} is encoded by ${metadata.tokenizer.name}, ${other} by ${first.metadata.tokenizer.name}: a mixture has one tokenizer`;
    }
    if (String(metadata.label_names) !== String(first.metadata.label_names)) {
      return `${name} has labels ${metadata.label_names.join(', ')}, ${other} ${first.metadata.label_names.join(', ')}`;
    }
    return undefined;
  };
  check(Object.fromEntries(others.map((part, i) => [`mixture[${i + 1}].dataset`, problem(part)])));
}

function checkFilled(parts: readonly OpenSplit[], split: SplitName): void {
  const empty = parts.find(({ reader }) => reader.tokenCount === 0);
  if (!empty) return;
  const there = empty.metadata.splits.map(({ name }) => name).join(', ');
  const message = `dataset ${nameOf(empty)} has nothing in its ${split} part, only in ${there}`;
  throw new AppError('FAILED_PRECONDITION', message, { field: 'split' });
}

export interface MixtureOrderOptions {
  parts: readonly OpenSplit[];
  mixture: readonly MixturePart[];
  seed: number;
  blockSize: number;
}

/** FAILED_PRECONDITION names a text that is shorter than one window. */
export function orderOf({ parts, mixture, seed, blockSize }: MixtureOrderOptions): Order {
  const short = parts.find(({ metadata, reader }) => metadata.kind === 'text' && reader.tokenCount <= blockSize);
  if (short) {
    throw new AppError(
      'FAILED_PRECONDITION',
      `dataset ${nameOf(short)} has ${short.reader.tokenCount} tokens in this part, fewer than a window of ${blockSize} and its next token: choose a smaller block_size`,
      { field: 'block_size' },
    );
  }
  const supplies = parts.map(
    ({ metadata, reader }): Supply =>
      metadata.kind === 'text' ? { kind: 'text', tokens: reader.tokenCount } : { kind: 'rows', rows: reader.rowCount },
  );
  return createOrder({ supplies, weights: mixture.map(({ weight }) => weight), seed, blockSize });
}
