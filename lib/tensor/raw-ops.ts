// TensorFlow operations that tfjs has no name for, and what keeps XLA from being too clever.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { currentBackend } from './backend.ts';

const isForXla = () => currentBackend().engineBinding.trace?.lowering === 'xla';

/** The same tensor, but XLA's simplifications end at it. Nothing outside of an XLA recording. */
export function barrier<T extends Tensor>(tensor: T): T {
  if (!isForXla()) return tensor;
  const [held] = currentBackend().runOp('XlaOptimizationBarrier', [tensor], {
    T: [currentBackend().typeCode(tensor.dtype)],
  });
  return held as T;
}

/**
 * The same tensors, but what is computed from them is computed again, when `dy` is known, and not kept from the forward
 * pass: XLA would find that it has these values already. It cannot, where they hang on `dy`, if only in theory: 1e-30
 * (1 for integers) is added where an element of it is beyond all bounds. Nothing outside of an XLA recording.
 */
export function afresh<const T extends readonly Tensor[]>(dy: Tensor, ...tensors: T): T {
  if (!isForXla()) return tensors;
  const first = tf.reshape(tf.slice(tf.reshape(dy, [-1]), [0], [1]), []);
  const isBeyond = tf.cast(tf.greater(first, 3e38), 'int32');
  const nothing = { float32: tf.mul(tf.cast(isBeyond, 'float32'), 1e-30), int32: isBeyond };
  return tensors.map((tensor) => tf.add(tensor, nothing[tensor.dtype as keyof typeof nothing])) as unknown as T;
}
