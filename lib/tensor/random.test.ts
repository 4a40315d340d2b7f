import { expect, test } from '@jest/globals';
import { gradientError, maxDifference, normal } from '../../tests/support/finite-differences.ts';
import { libraryDir } from '../../tests/support/library-dir.ts';
import { causalAttention } from './attention.ts';
import { openEngine } from './engine.ts';
import { dropoutMask, type Pair, statelessUniform, threefry } from './random.ts';
import type { tf as TF } from './tfjs.ts';

const { tf, jit } = openEngine({ libraryDir });
const seedOf = (a: number, b: number) => tf.tensor1d([a, b], 'int32');
const drawMany = (seed: TF.Tensor) => statelessUniform([100, 100], seed);

// From the known answers of Random123, the authors' library.
test.each([
  [
    [0, 0],
    [0, 0],
    ['6b200159', '99ba4efe'],
  ],
  [
    [-1, -1],
    [-1, -1],
    ['1cb996fc', 'bb002be7'],
  ],
  [
    [0x13198a2e, 0x03707344],
    [0x243f6a88, 0x85a308d3],
    ['c4923a9c', '483df7a0'],
  ],
])('Threefry gives its published numbers for key %j and counter %j', (key, counter, expected) => {
  const toPair = (words: number[]) => words.map((word) => tf.scalar(word | 0, 'int32')) as unknown as Pair;
  const words = threefry(toPair(key), toPair(counter)).map((word) => (word.dataSync()[0] ?? 0) >>> 0);
  expect(words.map((word) => word.toString(16))).toEqual(expected);
});

test('one seed draws the same numbers eagerly, by XLA and by the graph executor; another draws others', () => {
  const expected = drawMany(seedOf(7, 3));
  for (const lowering of ['xla', 'graph'] as const) {
    using draw = jit(drawMany, { lowering });
    expect(maxDifference(draw(seedOf(7, 3)), expected)).toBe(0);
    expect(maxDifference(draw(seedOf(7, 4)), expected)).toBeGreaterThan(0.5);
    expect(draw.compiled.length).toBe(1); // the seed is an argument, not a part of the program
  }
});

test('the numbers are uniform in [0, 1)', () => {
  const values = [...drawMany(seedOf(1, 2)).dataSync()];
  const mean = values.reduce((sum, value) => sum + value) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  expect(Math.abs(mean - 1 / 2)).toBeLessThan(0.01); // 3.5 standard errors
  expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.003);
  expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
});

test('a dropout mask drops the share it should, and keeps the mean', () => {
  const mask = dropoutMask([200, 100], { rate: 0.3, seed: seedOf(5, 5) }).dataSync<'float32'>();
  const dropped = mask.filter((value) => value === 0).length / mask.length;
  expect(Math.abs(dropped - 0.3)).toBeLessThan(0.012);
  expect([...new Set(mask)].sort()).toEqual([0, Math.fround(1 / 0.7)]);
});

test('attention with dropout has the slope that its gradient says', () => {
  const dropout = { rate: 0.4, seed: seedOf(2, 9) };
  const [q, k, v] = [1, 2, 3].map((seed) => normal([1, 2, 128, 4], seed));
  const attend = (...inputs: TF.Tensor[]) => {
    const [a, b, c] = inputs as [TF.Tensor4D, TF.Tensor4D, TF.Tensor4D];
    return causalAttention({ q: a, k: b, v: c, dropout });
  };
  expect(gradientError(attend, [q, k, v] as TF.Tensor[])).toBeLessThan(1e-3);
});
