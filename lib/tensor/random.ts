// Random numbers inside jit: a function of a seed that is itself a tensor, so that one compiled program draws other
// numbers at every step, and the same ones again for the same seed.
import { currentBackend } from './backend.ts';
import { tf } from './tfjs.ts';

/** Uniform values in [0, 1); `seed` is int32 [2]. */
export function statelessUniform(shape: readonly number[], seed: tf.Tensor): tf.Tensor {
  const backend = currentBackend();
  const size = tf.tensor1d([...shape], 'int32');
  const attrs = { dtype: backend.typeCode('float32'), T: backend.typeCode('int32'), Tseed: backend.typeCode('int32') };
  const [values] = backend.runOp('StatelessRandomUniform', [size, seed], attrs);
  size.dispose();
  return values as tf.Tensor;
}

/** 1/(1 - rate) where a value is kept and 0 where it is dropped, with probability `rate`. */
export function dropoutMask(shape: readonly number[], { rate, seed }: { rate: number; seed: tf.Tensor }): tf.Tensor {
  const kept = tf.greaterEqual(statelessUniform(shape, seed), rate);
  return tf.mul(tf.cast(kept, 'float32'), 1 / (1 - rate));
}
