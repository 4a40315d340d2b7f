// Gradients checked against the function itself: its slope along a random direction, by a five-point stencil.
import { tf } from '#lib/tensor/tfjs.ts';

export type TensorFunction = (...inputs: tf.Tensor[]) => tf.Tensor;

/** Normal values that are the same in every run. */
export const normal = (shape: readonly number[], seed: number, std = 1): tf.Tensor =>
  tf.randomNormal([...shape], 0, std, 'float32', seed);

/** Gradients of the weighted sum of f's values with respect to each input. */
export const gradientsOf = (f: TensorFunction, inputs: readonly tf.Tensor[], weights: tf.Tensor): tf.Tensor[] =>
  tf.grads((...xs: tf.Tensor[]) => tf.sum(tf.mul(f(...xs), weights)) as tf.Scalar)([...inputs]);

/**
 * The largest relative difference, over the inputs, between the slope that the gradient gives along a random direction
 * and the slope measured. Sums run in double precision, as the differences are small beside the values.
 */
export function gradientError(f: TensorFunction, inputs: readonly tf.Tensor[], step = 0.02): number {
  const weights = normal(f(...inputs).shape, 101);
  const gradients = gradientsOf(f, inputs, weights);
  const errors = inputs.map((input, i) => {
    const direction = normal(input.shape, 7 + i);
    const valueAt = (t: number) => {
      const moved = inputs.map((x, j) => (i === j ? tf.add(x, tf.mul(direction, t)) : x));
      return dot(f(...moved), weights);
    };
    const near = valueAt(step) - valueAt(-step);
    const far = valueAt(2 * step) - valueAt(-2 * step);
    const measured = (8 * near - far) / (12 * step);
    const expected = dot(gradients[i] as tf.Tensor, direction);
    return Math.abs(measured - expected) / Math.max(Math.abs(measured), Math.abs(expected), 1e-3);
  });
  return Math.max(...errors);
}

function dot(a: tf.Tensor, b: tf.Tensor): number {
  const [x, y] = [a.dataSync(), b.dataSync()];
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] ?? 0) * (y[i] ?? 0);
  return sum;
}

/** The largest absolute difference of two tensors' values; their shapes have to be equal. */
export function maxDifference(a: tf.Tensor, b: tf.Tensor): number {
  if (`${a.shape}` !== `${b.shape}`) throw new RangeError(`[${a.shape}] and [${b.shape}] are not of one shape`);
  const [x, y] = [a.dataSync(), b.dataSync()];
  let largest = 0;
  for (let i = 0; i < x.length; i++) largest = Math.max(largest, Math.abs((x[i] ?? 0) - (y[i] ?? 0)));
  return largest;
}
