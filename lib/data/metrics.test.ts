import { expect, test } from '@jest/globals';
import {
  accuracyOf,
  bitsPerByteOf,
  confusionOf,
  countOf,
  f1Of,
  macroF1Of,
  majorityAccuracyOf,
  perplexityOf,
} from './metrics.ts';

// 4 true negatives, 1 false positive, 2 false negatives, 3 true positives.
const judgements = [
  ...Array(4).fill({ label: 0, predicted: 0 }),
  { label: 0, predicted: 1 },
  ...Array(2).fill({ label: 1, predicted: 0 }),
  ...Array(3).fill({ label: 1, predicted: 1 }),
];

test('scores of a known confusion matrix are those worked out by hand', () => {
  const confusion = confusionOf(judgements, 2);
  expect([...confusion.counts]).toEqual([4, 1, 2, 3]);
  expect(countOf(confusion)).toBe(10);
  expect(accuracyOf(confusion)).toBeCloseTo(0.7);
  expect(majorityAccuracyOf(confusion)).toBeCloseTo(0.5);
  expect(f1Of(confusion, 1)).toBeCloseTo((2 * (3 / 4) * (3 / 5)) / (3 / 4 + 3 / 5));
  expect(macroF1Of(confusion)).toBeCloseTo((2 / 3 + 8 / 11) / 2);
});

test('a class that is neither there nor predicted has F1 0, and an unknown class is refused', () => {
  expect(f1Of(confusionOf([{ label: 0, predicted: 0 }], 2), 1)).toBe(0);
  expect(() => confusionOf([{ label: 0, predicted: 2 }], 2)).toThrow('class 2 is none of 2 classes');
});

test('a loss of ln 2 a token is perplexity 2, and one bit a byte where a token is a byte', () => {
  expect(perplexityOf(Math.log(2))).toBeCloseTo(2);
  expect(bitsPerByteOf(Math.log(2), { tokens: 10, bytes: 10 })).toBeCloseTo(1);
  expect(bitsPerByteOf(Math.log(2), { tokens: 10, bytes: 40 })).toBeCloseTo(0.25);
});
