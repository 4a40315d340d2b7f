// Random numbers inside jit: a function of a seed that is itself a tensor, so that one compiled program draws other
// numbers at every step, and the same ones again for the same seed.
//
// They are made by Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011)
// out of additions, rotations and xors, because TensorFlow's own stateless operations give other numbers under XLA than
// elsewhere. These are the same eagerly, compiled, on every device and in every version.
import { currentBackend } from './backend.ts';
import { tf } from './tfjs.ts';

/** Two int32 tensors of one shape, or that broadcast. */
export type Pair = readonly [tf.Tensor, tf.Tensor];

const rotations = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;
const parity = 0x1bd11bda;

/** Threefry-2x32-20: two words for each counter. */
export function threefry(key: Pair, counter: Pair): Pair {
  const keys = [...key, xor(xor(key[0], key[1]), tf.scalar(parity, 'int32'))] as [tf.Tensor, tf.Tensor, tf.Tensor];
  let [a, b]: Pair = [tf.add(counter[0], keys[0]), tf.add(counter[1], keys[1])];
  for (let round = 0; round < 20; round++) {
    a = tf.add(a, b);
    b = xor(rotateLeft(b, rotations[Math.floor(round / 4) % 2]?.[round % 4] ?? 0), a);
    if (round % 4 < 3) continue;
    const injection = (round + 1) / 4;
    a = tf.add(a, keys[injection % 3] as tf.Tensor);
    b = tf.add(tf.add(b, keys[(injection + 1) % 3] as tf.Tensor), tf.scalar(injection, 'int32'));
  }
  return [a, b];
}

/** Uniform values in [0, 1), multiples of 2^-24. `seed` is int32 [2]. */
export function statelessUniform(shape: readonly number[], seed: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const size = shape.reduce((product, dim) => product * dim, 1);
    const half = Math.ceil(size / 2);
    const [first, second] = tf.split(seed, 2) as [tf.Tensor, tf.Tensor];
    const words = tf.concat(threefry([first, second], [range(half), tf.scalar(0, 'int32')]) as unknown as tf.Tensor[]);
    const bits = tf.slice(shiftRight(words, 8), 0, size);
    return tf.reshape(tf.mul(tf.cast(bits, 'float32'), 2 ** -24), [...shape]);
  });
}

/** 1/(1 - rate) where a value is kept and 0 where it is dropped, with probability `rate`. `seed` is int32 [2]. */
export function dropoutMask(shape: readonly number[], { rate, seed }: { rate: number; seed: tf.Tensor }): tf.Tensor {
  const kept = tf.greaterEqual(statelessUniform(shape, seed), rate);
  return tf.mul(tf.cast(kept, 'float32'), 1 / (1 - rate));
}

const bitwise = (op: string) => (a: tf.Tensor, b: tf.Tensor) => {
  const backend = currentBackend();
  return backend.runOp(op, [a, b], { T: backend.typeCode('int32') })[0] as tf.Tensor;
};
const xor = bitwise('BitwiseXor');
const or = bitwise('BitwiseOr');
const and = bitwise('BitwiseAnd');
const shift = { left: bitwise('LeftShift'), right: bitwise('RightShift') };

/** Without the sign's copies that an arithmetic shift brings in. */
const shiftRight = (x: tf.Tensor, bits: number) =>
  and(shift.right(x, tf.scalar(bits, 'int32')), tf.scalar(2 ** (32 - bits) - 1, 'int32'));

const rotateLeft = (x: tf.Tensor, bits: number) =>
  or(shift.left(x, tf.scalar(bits, 'int32')), shiftRight(x, 32 - bits));

/** 0 to n - 1. tf.range makes its values in JavaScript, which would put them into the program. */
function range(n: number): tf.Tensor {
  const bounds = [0, n, 1].map((value) => tf.scalar(value, 'int32'));
  return currentBackend().runOp('Range', bounds, { Tidx: currentBackend().typeCode('int32') })[0] as tf.Tensor;
}
