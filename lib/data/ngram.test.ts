import { expect, test } from '@jest/globals';
import { ngramLosses } from './ngram.ts';

test('losses of a tiny text are those worked out by hand', async () => {
  // Training: a b a b. Measured: a b b.
  const losses = await ngramLosses({ vocabSize: 2, train: [[0, 1, 0, 1]], validation: [[0, 1, 1]] });
  expect(losses.uniform).toBeCloseTo(Math.log(2));
  expect(losses.unigram).toBeCloseTo(Math.log(2));
  // p(b|a) = (2 + 1) / (2 + 2), p(b|b) = (0 + 1) / (2 + 2)
  expect(losses.bigram).toBeCloseTo(-(Math.log(3 / 4) + Math.log(1 / 4)) / 2);
  // p(b|ab) = (0 + 1) / (2 + 2)
  expect(losses.trigram).toBeCloseTo(Math.log(4));
});

test('without training text every model is the uniform one, whatever the vocabulary', async () => {
  const losses = await ngramLosses({ vocabSize: 200_000, train: [], validation: [[7, 199_999, 3, 3]] });
  for (const loss of Object.values(losses)) expect(loss).toBeCloseTo(Math.log(200_000));
});

test('how a stream is cut into pieces does not matter', async () => {
  const train = Int32Array.from({ length: 500 }, (_, i) => (i * i) % 17);
  const options = { vocabSize: 17, validation: [train.subarray(100, 200)] };
  const whole = await ngramLosses({ ...options, train: [train] });
  const pieces = Array.from({ length: 50 }, (_, i) => train.subarray(10 * i, 10 * i + 10));
  expect(await ngramLosses({ ...options, train: pieces })).toEqual(whole);
});

test('nothing to measure is refused', async () => {
  await expect(ngramLosses({ vocabSize: 2, train: [[1]], validation: [] })).rejects.toThrow('no tokens to measure');
});
