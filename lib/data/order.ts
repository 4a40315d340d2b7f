// The order of samples: a pure function of seed and global sample index, in constant time and memory, so that resuming anywhere is asking from there.
// Rows come in epochs, each a permutation of its own. Text is cut into windows of a block; every epoch begins at a random offset, so that
// the cuts fall elsewhere, and has every one of its windows once.
import { below, hash32 } from './hash.ts';
import { createMixture } from './mixture.ts';
import { createPermutation, type Permutation } from './permutation.ts';

/** What one part of a mixture has to offer. */
export type Supply = { kind: 'text'; tokens: number } | { kind: 'rows'; rows: number };

export interface Sample {
  /** Place in the mixture. */
  part: number;
  epoch: number;
  /** Text: the first token of the window, which is followed by blockSize more. Rows: the row. */
  position: number;
}

export interface OrderOptions {
  supplies: readonly Supply[];
  /** Relative; all zero means by size. */
  weights: readonly number[];
  seed: number;
  blockSize: number;
}

export interface Order {
  readonly shares: readonly number[];
  /** Samples in one epoch of each part. */
  readonly epochSizes: readonly number[];
  at(sample: number): Sample;
}

/** Throws RangeError for a part without a single sample. */
export function createOrder({ supplies, weights, seed, blockSize }: OrderOptions): Order {
  const parts = supplies.map((supply, part) =>
    supply.kind === 'text'
      ? createWindowOrder(supply.tokens, blockSize, [seed, part])
      : createRowOrder(supply.rows, [seed, part]),
  );
  const mixture = createMixture(weights.some((weight) => weight > 0) ? weights : parts.map(({ size }) => size));
  return {
    shares: mixture.shares,
    epochSizes: parts.map(({ size }) => size),
    at: (sample) => {
      const { part, index } = mixture.at(sample);
      return { part, ...(parts[part] as PartOrder).at(index) };
    },
  };
}

interface PartOrder {
  /** Samples of an epoch. */
  size: number;
  at(index: number): { epoch: number; position: number };
}

function createRowOrder(rows: number, key: number[]): PartOrder {
  if (rows < 1) throw new RangeError('order of samples: there are no rows');
  return createEpochs(rows, key, (_, row) => row);
}

/** Windows of blockSize + 1 tokens, a block apart. One window less than would fit leaves room for the offset. */
function createWindowOrder(tokens: number, blockSize: number, key: number[]): PartOrder {
  const fitting = Math.floor((tokens - 1) / blockSize);
  if (fitting < 1) {
    throw new RangeError(
      `order of samples: ${tokens} tokens are fewer than a window of ${blockSize} and its next token`,
    );
  }
  const windows = Math.max(1, fitting - 1);
  const room = tokens - 1 - windows * blockSize;
  const offsetOf = (epoch: number): number => below(room + 1, hash32(...key, epoch, -1), hash32(...key, epoch, -2));
  return createEpochs(windows, key, (epoch, window) => offsetOf(epoch) + window * blockSize);
}

function createEpochs(size: number, key: number[], positionOf: (epoch: number, item: number) => number): PartOrder {
  let current: { epoch: number; permutation: Permutation } | undefined;
  const permutationOf = (epoch: number): Permutation => {
    if (current?.epoch !== epoch) current = { epoch, permutation: createPermutation(size, ...key, epoch) };
    return current.permutation;
  };
  return {
    size,
    at: (index) => {
      const epoch = Math.floor(index / size);
      const item = permutationOf(epoch).at(index - epoch * size);
      return { epoch, position: positionOf(epoch, item) };
    },
  };
}

/** The global indices that one of several workers draws, from `start` on: sample i belongs to rank i mod worldSize. */
export const firstSampleOf = ({ start, rank, worldSize }: { start: number; rank: number; worldSize: number }): number =>
  start + ((((rank - start) % worldSize) + worldSize) % worldSize);
