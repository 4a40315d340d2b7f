// What is minimised. Losses are sums and come with the count of what carried loss, so that a step made of several
// micro-batches divides by the count of the whole step, whatever way it was split.
import { tf } from '#lib/tensor/tfjs.ts';

/**
 * Sum of -log p(target) over rows of logits [N, V]; targets: int32 [N], below 0 where a row carries no loss. A sum over
 * nothing is 0, as is its gradient.
 */
export function crossEntropySum(logits: tf.Tensor2D, targets: tf.Tensor1D): tf.Scalar {
  const classes = logits.shape[1];
  const scored = isScored(targets).reshape([-1, 1]); // [N, 1]
  const right = tf.oneHot(targets, classes).cast('float32') as tf.Tensor2D; // [N, V], zeros where unscored
  const loss = tf.customGrad((x, save) => {
    const values = x as tf.Tensor2D;
    const logZ = tf.logSumExp(values, 1, true); // [N, 1]
    (save as tf.GradSaveFunc)([values, logZ, scored, right]);
    const value = logZ.mul(scored).sum().sub(values.mul(right).sum()) as tf.Scalar;
    const gradFunc = (dy: tf.Tensor, [xs, z, weight, hot]: tf.Tensor[]) =>
      (xs as tf.Tensor)
        .sub(z as tf.Tensor)
        .exp()
        .mul(weight as tf.Tensor)
        .sub(hot as tf.Tensor)
        .mul(dy); // softmax - one hot
    return { value, gradFunc };
  });
  return loss(logits) as tf.Scalar;
}

/** 1 where a target carries loss, else 0: float32 [N]. */
export const isScored = (targets: tf.Tensor): tf.Tensor => targets.greaterEqual(tf.scalar(0, 'int32')).cast('float32');

/** log p(target) of each row of logits [N, V]: [N]; 0 where the target is below 0. */
export function logProbabilities(logits: tf.Tensor2D, targets: tf.Tensor1D): tf.Tensor1D {
  const right = tf.oneHot(targets, logits.shape[1]).cast('float32');
  const picked = logits.mul(right).sum(1); // [N]
  return picked.sub(logits.logSumExp(1)).mul(isScored(targets)) as tf.Tensor1D;
}

/** 1 where the target has the largest logit of its row, else 0: float32 [N]. */
export const isLargest = (logits: tf.Tensor2D, targets: tf.Tensor1D): tf.Tensor1D =>
  logits.argMax(1).equal(targets).cast('float32');
