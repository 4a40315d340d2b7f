import { expect, test } from '@jest/globals';
import { createMixture } from './mixture.ts';
import { createOrder, firstSampleOf, type OrderOptions, type Sample } from './order.ts';
import { createPermutation } from './permutation.ts';

const range = (length: number, start = 0): number[] => Array.from({ length }, (_, i) => start + i);

/** Deterministic, evenly from [0, 1). */
const randomFrom = (seed: number) => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
};

const samples = (options: OrderOptions, indices: number[]): Sample[] => {
  const order = createOrder(options);
  return indices.map((index) => order.at(index));
};

test.each([1, 2, 3, 4, 7, 64, 65, 1000, 99_991])('a permutation of %d has every item once', (size) => {
  const permutation = createPermutation(size, 7, 1);
  const seen = new Set(range(size).map((place) => permutation.at(place)));
  expect(seen.size).toBe(size);
  expect(Math.max(...[...seen].slice(0, 1000))).toBeLessThan(size);
});

test('permutations are spread: all 24 orders of four items come, none much more often than another', () => {
  const counts = new Map<string, number>();
  for (let key = 0; key < 24_000; key++) {
    const { at } = createPermutation(4, key);
    const name = range(4).map(at).join('');
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  expect(counts.size).toBe(24);
  expect(Math.max(...counts.values())).toBeLessThan(1400);
  expect(Math.min(...counts.values())).toBeGreaterThan(600);
});

test('neighbours do not stay neighbours', () => {
  const { at } = createPermutation(100_000, 3);
  const near = range(99_999).filter((place) => Math.abs(at(place) - at(place + 1)) <= 10);
  expect(near.length).toBeLessThan(60); // 20 expected
});

test('a permutation of 2^52 items answers for any of them', () => {
  const { at } = createPermutation(2 ** 52, 1);
  const items = range(1000).map((i) => at(2 ** 52 - 1 - i));
  expect(new Set(items).size).toBe(1000);
  for (const item of items) expect(item >= 0 && item < 2 ** 52 && Number.isInteger(item)).toBe(true);
});

test('rows: every epoch has every row once, each in another order', () => {
  const drawn = samples({ supplies: [{ kind: 'rows', rows: 500 }], weights: [1], seed: 5, blockSize: 8 }, range(1500));
  const epochs = [0, 1, 2].map((epoch) => drawn.slice(500 * epoch, 500 * epoch + 500).map(({ position }) => position));
  for (const epoch of epochs) expect(new Set(epoch).size).toBe(500);
  expect(epochs[0]).not.toEqual(epochs[1]);
  expect(epochs[1]).not.toEqual(epochs[2]);
});

test.each([
  [65, 64],
  [128, 64],
  [100_385, 64],
  [10_000, 7],
])(
  'text of %d tokens in blocks of %d: windows of an epoch do not overlap, stay inside, begin elsewhere next time',
  (tokens, blockSize) => {
    const order = createOrder({ supplies: [{ kind: 'text', tokens }], weights: [0], seed: 1, blockSize });
    const size = order.epochSizes[0] as number;
    const offsets = range(12).map((epoch) => {
      const starts = range(size, epoch * size).map((index) => order.at(index).position);
      starts.sort((a, b) => a - b);
      expect(starts.filter((start, i) => i > 0 && start - (starts[i - 1] as number) !== blockSize)).toEqual([]);
      expect((starts.at(-1) as number) + blockSize + 1).toBeLessThanOrEqual(tokens);
      return starts[0] as number;
    });
    expect(Math.min(...offsets)).toBeGreaterThanOrEqual(0);
    if (tokens > 2 * blockSize) expect(new Set(offsets).size).toBeGreaterThan(3);
  },
);

test('at most two windows of a text are left out of an epoch', () => {
  for (const tokens of range(300, 20)) {
    const { epochSizes } = createOrder({ supplies: [{ kind: 'text', tokens }], weights: [0], seed: 1, blockSize: 9 });
    expect((epochSizes[0] as number) * 9).toBeGreaterThanOrEqual(Math.min(9, tokens - 1 - 2 * 9));
  }
});

const mixed: OrderOptions = {
  supplies: [
    { kind: 'text', tokens: 5000 },
    { kind: 'text', tokens: 900 },
    { kind: 'text', tokens: 123_456 },
  ],
  weights: [3, 1, 0.7],
  seed: 42,
  blockSize: 16,
};

test('resuming at any sample gives the rest of the whole, also far out', () => {
  const whole = samples(mixed, range(4000));
  const random = randomFrom(1);
  for (const start of [0, 1, 2, 3, 3999, ...range(60).map(() => Math.floor(4000 * random()))]) {
    expect(samples(mixed, range(4000 - start, start).slice(0, 50))).toEqual(whole.slice(start, start + 50));
  }
  const far = 10 ** 12;
  expect(samples(mixed, range(40, far + 10))).toEqual(samples(mixed, range(50, far)).slice(10));
});

test('samples asked for in any order are the same ones', () => {
  const order = createOrder(mixed);
  const forwards = range(2000).map((index) => order.at(index));
  const backwards = range(2000).map((_, i) => order.at(1999 - i));
  expect(backwards.reverse()).toEqual(forwards);
});

test('another seed is another order', () => {
  expect(samples({ ...mixed, seed: 43 }, range(100))).not.toEqual(samples(mixed, range(100)));
  expect(samples({ ...mixed, seed: 42 + 2 ** 32 }, range(100))).not.toEqual(samples(mixed, range(100)));
});

test.each([1, 2, 3, 4, 8])('%d workers together draw every sample once', (worldSize) => {
  for (const start of [0, 5, 24]) {
    const drawn = range(worldSize).flatMap((rank) => {
      const first = firstSampleOf({ start, rank, worldSize });
      return range(10).map((k) => first + k * worldSize);
    });
    expect(drawn.sort((a, b) => a - b)).toEqual(range(10 * worldSize, start));
  }
});

/** The largest distance of any part's count from its exact share, over the first `length` samples. */
function largestError(weights: number[], length: number): number {
  const mixture = createMixture(weights);
  const counts = new Float64Array(weights.length);
  let error = 0;
  for (let n = 1; n <= length; n++) {
    const { part, index } = mixture.at(n - 1);
    if (index !== counts[part]) throw new Error(`sample ${n - 1} has index ${index}, not ${counts[part]}`);
    counts[part] = index + 1;
    for (let i = 0; i < counts.length; i++) {
      error = Math.max(error, Math.abs((counts[i] as number) - n * (mixture.shares[i] as number)));
    }
  }
  return error;
}

test('shares: after any number of samples no part is a whole sample away from its exact share', () => {
  const random = randomFrom(9);
  for (let trial = 0; trial < 40; trial++) {
    const weights = range(1 + (trial % 8)).map(() => random() ** 4 + 1e-4);
    expect(largestError(weights, 3000)).toBeLessThan(1);
  }
  expect(largestError([60, 22, 8, 8, 3], 20_000)).toBeLessThan(1);
});

test('shares: whole numbers and decimals are exact, others are off by less than a sample in a round', () => {
  expect(createMixture([0.7, 0.2, 0.1]).shares).toEqual([0.7, 0.2, 0.1]);
  expect(createMixture([2, 1]).shares).toEqual([2 / 3, 1 / 3]);
  const weights = [Math.PI, 1, 1e-9, 12_345_678];
  const { shares } = createMixture(weights);
  const total = weights.reduce((a, b) => a + b);
  shares.forEach((share, i) => {
    expect(Math.abs(share - (weights[i] as number) / total)).toBeLessThan(4 / 65_536);
  });
  expect(shares[2]).toBeGreaterThan(0);
  expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
});

test('equal weights take turns; weight 0 is never drawn; weights all zero go by size', () => {
  const turns = createMixture([1, 1]);
  expect(range(6).map((i) => turns.at(i).part)).toEqual([0, 1, 0, 1, 0, 1]);
  const without = createMixture([0, 1]);
  expect(range(50).every((i) => without.at(i).part === 1)).toBe(true);
  const bySize = createOrder({ ...mixed, weights: [0, 0, 0] });
  const sizes = bySize.epochSizes;
  expect(bySize.shares[2]).toBeCloseTo((sizes[2] ?? 0) / sizes.reduce((a, b) => a + b), 5);
});

test('what cannot be ordered is refused with its numbers', () => {
  expect(() => createOrder({ ...mixed, supplies: [{ kind: 'rows', rows: 0 }], weights: [1] })).toThrow('no rows');
  expect(() => createOrder({ ...mixed, supplies: [{ kind: 'text', tokens: 16 }], weights: [1] })).toThrow(
    '16 tokens are fewer than a window of 16',
  );
  expect(() => createMixture([1, -1])).toThrow('must not be negative');
  expect(() => createMixture([0, 0])).toThrow('one must be positive');
});
