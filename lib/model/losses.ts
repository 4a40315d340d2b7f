// What is minimised. Losses are sums and come with the count of what carried loss, so that a step made of several
// micro-batches divides by the count of the whole step, whatever way it was split.
import { softmaxCrossEntropy } from '#lib/tensor/ops.ts';
import { tf } from '#lib/tensor/tfjs.ts';

/**
 * Sum of -log p(target) over rows of logits [N, V]; targets: int32 [N], below 0 where a row carries no loss. A sum over
 * nothing is 0, as is its gradient.
 */
export const crossEntropySum = (logits: tf.Tensor2D, targets: tf.Tensor1D): tf.Scalar =>
  softmaxCrossEntropy(logits, targets).sum();

/** 1 where a target carries loss, else 0: float32 [N]. */
export const isScored = (targets: tf.Tensor): tf.Tensor => targets.greaterEqual(tf.scalar(0, 'int32')).cast('float32');

/** log p(target) of each row of logits [N, V]: [N]; 0 where the target is below 0. */
export const logProbabilities = (logits: tf.Tensor2D, targets: tf.Tensor1D): tf.Tensor1D =>
  softmaxCrossEntropy(logits, targets).neg();

/** 1 where the target has the largest logit of its row, else 0: float32 [N]. */
export const isLargest = (logits: tf.Tensor2D, targets: tf.Tensor1D): tf.Tensor1D =>
  logits.argMax(1).equal(targets).cast('float32');
