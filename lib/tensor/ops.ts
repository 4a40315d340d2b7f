// Operations of language models with their gradients written out, in the forms that XLA's CPU compiler runs fastest.
// tfjs's own gradients of the same formulas keep more intermediate values and make slower matrix products.
// N rows, C columns; [N, C] is a batch of sequences with its axes folded.
import { barrier } from './raw-ops.ts';
import { tf } from './tfjs.ts';
import { withGradient } from './with-gradient.ts';

/**
 * x [N, in] times w [in, out], or times the transpose of w [out, in]; plus bias [out]. Gives [N, out].
 */
export function linear(
  x: tf.Tensor2D,
  weight: tf.Tensor2D,
  { bias, transposed = false }: { bias?: tf.Tensor1D | undefined; transposed?: boolean } = {},
): tf.Tensor2D {
  const inner = weight.shape[transposed ? 1 : 0];
  if (x.shape[1] !== inner) {
    throw new RangeError(
      `linear: [${x.shape}] times ${transposed ? 'the transpose of ' : ''}[${weight.shape}]: inner sizes differ`,
    );
  }
  const product = withGradient(
    [x, weight],
    (a, w) => ({ value: tf.matMul(a, w, false, transposed), saved: [a, w] }),
    (dy, a, w) => [
      tf.matMul(dy, w, false, !transposed),
      transposed ? contractRows(dy as tf.Tensor2D, a) : contractRows(a, dy as tf.Tensor2D),
    ],
  ) as tf.Tensor2D;
  return bias ? tf.add(product, bias) : product;
}

/** a^T b of a [N, m] and b [N, n]: [m, n]. The narrower one goes first, which XLA's kernels do up to twice as fast. */
function contractRows(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  if (a.shape[1] <= b.shape[1]) return tf.matMul(a, b, true, false);
  return tf.transpose(barrier(tf.matMul(b, a, true, false) as tf.Tensor2D)); // or XLA would swap them back
}

interface NormOptions {
  /** [C] */
  readonly weight: tf.Tensor1D;
  readonly epsilon: number;
}

/** Layer normalisation (Ba et al. 2016) over the last axis of [N, C]. */
export function layerNorm(
  x: tf.Tensor2D,
  { weight, bias, epsilon }: NormOptions & { readonly bias?: tf.Tensor1D | undefined },
): tf.Tensor2D {
  const normal = withGradient(
    [x, weight],
    (a, w) => {
      const mean = tf.mean(a, -1, true); // [N, 1]
      const centred = tf.sub(a, mean);
      const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon)); // [N, 1]
      return { value: tf.mul(tf.mul(centred, scale), w), saved: [a, w, mean, scale] };
    },
    (dy, a, w, mean, scale) => {
      const unit = tf.mul(tf.sub(a, mean), scale);
      const g = tf.mul(dy, w);
      const along = tf.mul(unit, tf.mean(tf.mul(g, unit), -1, true));
      return [tf.mul(tf.sub(tf.sub(g, tf.mean(g, -1, true)), along), scale), tf.sum(tf.mul(dy, unit), 0)];
    },
  ) as tf.Tensor2D;
  return bias ? tf.add(normal, bias) : normal;
}

/** Root-mean-square normalisation (Zhang, Sennrich 2019) over the last axis of [N, C]. */
export function rmsNorm(x: tf.Tensor2D, { weight, epsilon }: NormOptions): tf.Tensor2D {
  return withGradient(
    [x, weight],
    (a, w) => {
      const scale = tf.rsqrt(tf.add(tf.mean(tf.square(a), -1, true), epsilon)); // [N, 1]
      return { value: tf.mul(tf.mul(a, scale), w), saved: [a, w, scale] };
    },
    (dy, a, w, scale) => {
      const unit = tf.mul(a, scale);
      const g = tf.mul(dy, w);
      const along = tf.mul(unit, tf.mean(tf.mul(g, unit), -1, true));
      return [tf.mul(tf.sub(g, along), scale), tf.sum(tf.mul(dy, unit), 0)];
    },
  ) as tf.Tensor2D;
}

const { PI, sqrt } = Math;
const geluScale = sqrt(2 / PI);
const geluCubic = 0.044715;

/** GELU in its tanh form (Hendrycks, Gimpel 2016), as GPT-2 has it: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). */
export function gelu<T extends tf.Tensor>(x: T): T {
  const tanhOf = (a: tf.Tensor, square: tf.Tensor) =>
    tf.tanh(tf.mul(a, tf.add(tf.mul(square, geluScale * geluCubic), geluScale)));
  return withGradient(
    [x as tf.Tensor],
    (a) => ({ value: tf.mul(tf.mul(a, 0.5), tf.add(tanhOf(a, tf.square(a)), 1)), saved: [a] }),
    (dy, a) => {
      const square = tf.square(a);
      const tanh = tanhOf(a, square);
      const slope = tf.add(tf.mul(square, 3 * geluScale * geluCubic), geluScale);
      const inner = tf.mul(tf.mul(tf.sub(1, tf.square(tanh)), slope), tf.mul(a, 0.5));
      return [tf.mul(dy, tf.add(tf.mul(tf.add(tanh, 1), 0.5), inner))];
    },
  ) as T;
}

/** x sigmoid(x) (Elfwing et al. 2017). */
export function silu<T extends tf.Tensor>(x: T): T {
  return withGradient(
    [x as tf.Tensor],
    (a) => ({ value: tf.mul(a, tf.sigmoid(a)), saved: [a] }),
    (dy, a) => {
      const gate = tf.sigmoid(a);
      return [tf.mul(dy, tf.mul(gate, tf.add(tf.mul(a, tf.sub(1, gate)), 1)))];
    },
  ) as T;
}

/** Rows of `table` [V, C] by ids (int32, any shape, flattened to N): [N, C]. The gradient adds up rows with one id. */
export function embedding(table: tf.Tensor2D, ids: tf.Tensor): tf.Tensor2D {
  const rows = tf.reshape(ids, [-1]) as tf.Tensor1D;
  return withGradient(
    [table],
    (t) => ({ value: tf.gather(t, rows), saved: [rows] }),
    (dy, kept) => [tf.unsortedSegmentSum(dy, kept, table.shape[0])],
  ) as tf.Tensor2D;
}

/**
 * -log softmax(logits)[target] of each row of logits [N, V]; targets int32 [N], below 0 where a row carries no loss:
 * its loss and its gradient are 0. Gives [N].
 */
export function softmaxCrossEntropy(logits: tf.Tensor2D, targets: tf.Tensor1D): tf.Tensor1D {
  const [rows, classes] = logits.shape;
  if (targets.shape[0] !== rows) {
    throw new RangeError(`softmaxCrossEntropy: logits [${logits.shape}] and targets [${targets.shape}] differ in rows`);
  }
  const scored = tf.cast(tf.greaterEqual(targets, 0), 'float32'); // [N]
  const picks = tf.reshape(tf.maximum(targets, tf.scalar(0, 'int32')), [rows, 1]);
  return withGradient(
    [logits],
    (x) => {
      const logZ = tf.logSumExp(x, 1, true); // [N, 1]
      const right = tf.gather(x, picks, 1, 1); // [N, 1]
      return { value: tf.mul(tf.reshape(tf.sub(logZ, right), [rows]), scored), saved: [x, logZ, targets, scored] };
    },
    (dy, x, logZ, kept, weight) => {
      const isTarget = tf.equal(tf.expandDims(kept, 1), tf.range(0, classes, 1, 'int32'));
      const error = tf.sub(tf.exp(tf.sub(x, logZ)), tf.cast(isTarget, 'float32')); // [N, V]
      return [tf.mul(error, tf.expandDims(tf.mul(dy, weight), 1))];
    },
  ) as tf.Tensor1D;
}
