// What the architectures share beside the engine's operations (lib/tensor/ops.ts): heads in and out, and dropout.
import { dropoutMask } from '#lib/tensor/random.ts';
import { tf } from '#lib/tensor/tfjs.ts';

interface HeadShape {
  B: number;
  T: number;
  H: number;
}

/** [B*T, H*D] -> [B, H, T, D] */
export const splitHeads = (x: tf.Tensor, { B, T, H }: HeadShape): tf.Tensor4D =>
  x.reshape<tf.Tensor4D>([B, T, H, -1]).transpose<tf.Tensor4D>([0, 2, 1, 3]);

/** [B, H, T, D] -> [B*T, H*D] */
export function mergeHeads(x: tf.Tensor4D): tf.Tensor2D {
  const [B, H, T, D] = x.shape;
  return x.transpose([0, 2, 1, 3]).reshape([B * T, H * D]);
}

export interface Noise {
  readonly rate: number;
  /** int32 [2] */
  readonly seed: tf.Tensor;
}

export interface Dropout {
  <T extends tf.Tensor>(x: T): T;
  /** Rate and a seed of its own for an operation that drops values itself; undefined without dropout. */
  next(): Noise | undefined;
}

/**
 * Dropout whose noise is a function of `seed` and of how many dropouts came before: the same seed drops the same values
 * again. The identity without noise, or where its rate is 0.
 */
export function createDropout(noise?: Noise): Dropout {
  let used = 0;
  const next = () =>
    noise && noise.rate > 0
      ? { rate: noise.rate, seed: tf.add(noise.seed, tf.tensor1d([0, used++], 'int32')) }
      : undefined;
  const apply = <T extends tf.Tensor>(x: T): T => {
    const own = next();
    return own ? x.mul(dropoutMask(x.shape, own)) : x;
  };
  return Object.assign(apply, { next });
}
