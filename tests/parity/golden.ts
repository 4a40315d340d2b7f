// Reading the golden files, and comparing tensors with them.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { tf } from '#lib/tensor/tfjs.ts';

const folder = path.join(import.meta.dirname, 'golden');

export const goldenPath = (name: string): string => path.join(folder, name);

export const readGolden = <T>(name: string): T => JSON.parse(readFileSync(goldenPath(name), 'utf8')) as T;

/** A tensor as the Python scripts write it. */
export interface Golden {
  readonly shape: number[];
  readonly values: number[];
}

export const toTensor = ({ shape, values }: Golden, dtype: 'float32' | 'int32' = 'float32'): tf.Tensor =>
  tf.tensor(values, shape, dtype);

/** The largest absolute difference; Infinity where shapes or lengths differ, or a value is not finite. */
export function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs((actual[i] ?? Number.NaN) - (expected[i] ?? Number.NaN));
    largest = difference >= 0 ? Math.max(largest, difference) : Number.POSITIVE_INFINITY;
  }
  return largest;
}

/** The largest difference as a share of the largest expected value. */
export function relativeDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const scale = Array.from(expected).reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-30);
  return largestDifference(actual, expected) / scale;
}
