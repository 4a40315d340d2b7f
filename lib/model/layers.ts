// The parts that transformers are made of, on tfjs tensors. Activations are matrices [B*T, C] between the attentions.
// Gradients are tfjs's own where XLA makes good code of them, and written out (tf.customGrad) where it does not.
import { currentBackend } from '#lib/tensor/backend.ts';
import { tf } from '#lib/tensor/tfjs.ts';

interface HeadShape {
  B: number;
  T: number;
  H: number;
}

/** Rows of a table: ids of any shape, flattened, to [ids, C]. */
export const embed = (table: tf.Tensor, ids: tf.Tensor): tf.Tensor2D => tf.gather(table as tf.Tensor2D, ids.flatten());

/** [B*T, H*D] -> [B, H, T, D] */
export const splitHeads = (x: tf.Tensor, { B, T, H }: HeadShape): tf.Tensor4D =>
  x.reshape<tf.Tensor4D>([B, T, H, -1]).transpose<tf.Tensor4D>([0, 2, 1, 3]);

/** [B, H, T, D] -> [B*T, H*D] */
export function mergeHeads(x: tf.Tensor4D): tf.Tensor2D {
  const [B, H, T, D] = x.shape;
  return x.transpose([0, 2, 1, 3]).reshape([B * T, H * D]);
}

/** Layer normalisation (Ba et al. 2016) over the last axis of [N, C]. */
export function layerNorm(
  x: tf.Tensor2D,
  { weight, bias, epsilon }: { weight: tf.Tensor; bias?: tf.Tensor | undefined; epsilon: number },
): tf.Tensor2D {
  const centred = x.sub(x.mean(-1, true)); // [N, C]
  const scale = centred.square().mean(-1, true).add(epsilon).rsqrt(); // [N, 1]
  const y = centred.mul(scale).mul(weight); // [N, C]
  return (bias ? y.add(bias) : y) as tf.Tensor2D;
}

/** Root-mean-square normalisation (Zhang, Sennrich 2019) over the last axis of [N, C]. */
export const rmsNorm = (x: tf.Tensor2D, { weight, epsilon }: { weight: tf.Tensor; epsilon: number }): tf.Tensor2D =>
  x.mul(x.square().mean(-1, true).add(epsilon).rsqrt()).mul(weight);

const { PI, sqrt } = Math;

/** GELU in its tanh form (Hendrycks, Gimpel 2016), as GPT-2 has it. */
export const gelu = (x: tf.Tensor2D): tf.Tensor2D => {
  const inner = x.add(x.mul(x).mul(x).mul(0.044715)).mul(sqrt(2 / PI));
  return x.mul(0.5).mul(inner.tanh().add(1));
};

export const silu = (x: tf.Tensor2D): tf.Tensor2D => x.mul(x.sigmoid());

/** Scaled dot products in which no position sees a later one. q, k, v and the result: [B, H, T, D]. */
export function causalAttention(
  { q, k, v }: Record<'q' | 'k' | 'v', tf.Tensor4D>,
  drop: Dropout = (x) => x,
): tf.Tensor4D {
  const [, , T, D] = q.shape;
  const scores = tf.matMul(q, k, false, true).mul(1 / sqrt(D)); // [B, H, T, D] @ [B, H, D, T] -> [B, H, T, T]
  const attention = tf.where(causalMask(T), scores, -1e9).softmax(); // [B, H, T, T]
  return tf.matMul(drop(attention), v); // [B, H, T, T] @ [B, H, T, D] -> [B, H, T, D]
}

/** [T, T], true where the column is not after the row. */
function causalMask(T: number): tf.Tensor2D {
  const positions = tf.range(0, T, 1, 'int32');
  return positions.reshape([1, T]).lessEqual(positions.reshape([T, 1]));
}

export type Dropout = <T extends tf.Tensor>(x: T) => T;

/**
 * Dropout whose noise is a function of `seed` (int32 [2]) and of how many dropouts were applied before: the same seed
 * drops the same values again. The identity where rate is 0.
 */
export function createDropout({ rate = 0, seed }: { rate?: number; seed?: tf.Tensor | undefined } = {}): Dropout {
  if (rate === 0) return (x) => x;
  if (!seed) throw new TypeError(`dropout: a rate of ${rate} needs a seed`);
  let applied = 0;
  return (x) => {
    const noise = uniform(x.shape, seed.add(tf.tensor1d([0, applied++], 'int32')));
    return x.mul(
      noise
        .greaterEqual(rate)
        .cast('float32')
        .mul(1 / (1 - rate)),
    );
  };
}

/** Uniform values in [0, 1), a function of the seed (int32 [2]). */
function uniform(shape: readonly number[], seed: tf.Tensor): tf.Tensor {
  const backend = currentBackend();
  const size = tf.tensor1d([...shape], 'int32');
  const attrs = { dtype: backend.typeCode('float32'), T: backend.typeCode('int32'), Tseed: backend.typeCode('int32') };
  const [values] = backend.runOp('StatelessRandomUniform', [size, seed], attrs);
  return values as tf.Tensor;
}

/** cos and sin of rotary positions (Su et al. 2021), each [T, D], in the order of Hugging Face's Llama: the halves repeat. */
export function rotaryTables(T: number, { headSize, theta }: { headSize: number; theta: number }): RotaryTables {
  const half = headSize / 2;
  const angle = (_: unknown, i: number) => Math.floor(i / headSize) * theta ** (-(i % half) / half);
  const angles = Array.from({ length: T * headSize }, angle);
  const table = (f: (x: number) => number) => tf.tensor2d(Float32Array.from(angles, f), [T, headSize]);
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

export type RotaryTables = Record<'cos' | 'sin', tf.Tensor2D>;

/** Turns each pair (i, i + D/2) of [B, H, T, D] by its position's angle. */
export function rotate(x: tf.Tensor4D, { cos, sin }: RotaryTables): tf.Tensor4D {
  const [first, second] = tf.split(x, 2, 3) as [tf.Tensor4D, tf.Tensor4D];
  return x.mul(cos).add(tf.concat([second.neg(), first], 3).mul(sin));
}

/** [B, G, T, D] -> [B, G * times, T, D]: each key/value head next to itself, once for each query head it serves. */
export function repeatHeads(x: tf.Tensor4D, times: number): tf.Tensor4D {
  if (times === 1) return x;
  const [B, G, T, D] = x.shape;
  const flat = x.reshape([B, G, T * D]);
  return tf
    .stack(
      Array.from({ length: times }, () => flat),
      2,
    )
    .reshape([B, G * times, T, D]);
}
