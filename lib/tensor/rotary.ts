// Rotary positions (Su et al. 2021) in the order of Hugging Face's Llama: element i turns with element i + D/2.
import { tf } from './tfjs.ts';
import { withGradient } from './with-gradient.ts';

/** Each [T, D]; the second half of the columns repeats the first. */
export type RotaryTables = Readonly<Record<'cos' | 'sin', tf.Tensor2D>>;

/** cos and sin of t * theta^(-2i/D) for positions `start` on. */
export function rotaryTables(
  T: number,
  { headSize, theta, start = 0 }: { headSize: number; theta: number; start?: number },
): RotaryTables {
  const half = headSize / 2;
  const angle = (_: unknown, i: number) => (start + Math.floor(i / headSize)) * theta ** (-(i % half) / half);
  const angles = Array.from({ length: T * headSize }, angle);
  const table = (f: (x: number) => number) => tf.tensor2d(Float32Array.from(angles, f), [T, headSize]);
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

/** Turns each pair of [B, H, T, D] by its position's angle. The gradient turns it back. */
export function rotate(x: tf.Tensor4D, { cos, sin }: RotaryTables): tf.Tensor4D {
  const [T, D] = cos.shape;
  if (x.shape[2] !== T || x.shape[3] !== D) {
    throw new RangeError(`rotate: [${x.shape}] with tables for [B, H, ${T}, ${D}]`);
  }
  const turn = (a: tf.Tensor, c: tf.Tensor, s: tf.Tensor) => tf.add(tf.mul(a, c), tf.mul(swapHalves(a), s));
  return withGradient(
    [x as tf.Tensor],
    (a) => ({ value: turn(a, cos, sin), saved: [cos, sin] }),
    (dy, c, s) => [turn(dy, c, tf.neg(s))],
  ) as tf.Tensor4D;
}

/** (first, second) -> (-second, first) */
function swapHalves(x: tf.Tensor): tf.Tensor {
  const [first, second] = tf.split(x, 2, 3) as [tf.Tensor, tf.Tensor];
  return tf.concat([tf.neg(second), first], 3);
}
