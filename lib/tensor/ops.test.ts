// Every operation with a gradient of its own against the same formula in plain tfjs, and against finite differences.
import { describe, expect, test } from '@jest/globals';
import {
  gradientError,
  gradientsOf,
  maxDifference,
  normal,
  type TensorFunction,
} from '../../tests/support/finite-differences.ts';
import { libraryDir } from '../../tests/support/library-dir.ts';
import { causalAttention } from './attention.ts';
import { openEngine } from './engine.ts';
import { embedding, gelu, layerNorm, linear, rmsNorm, silu, softmaxCrossEntropy } from './ops.ts';
import { rotaryTables, rotate } from './rotary.ts';
import { tf } from './tfjs.ts';

const { jit } = openEngine({ libraryDir });

interface Case {
  readonly op: TensorFunction;
  /** The same in the operations of tfjs, whose gradients tfjs knows. */
  readonly plain: TensorFunction;
  readonly shapes: readonly (readonly number[])[];
}

const ids = tf.tensor1d([3, 0, 3, 4, 3], 'int32');
const targets = tf.tensor1d([2, -1, 0, 6], 'int32');
const epsilon = 1e-5;
const tables = rotaryTables(5, { headSize: 8, theta: 10_000 });
type Vector = tf.Tensor1D;
type Matrix = tf.Tensor2D;
type Heads = tf.Tensor4D;

const plainNorm = (x: tf.Tensor, w: tf.Tensor) => {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  return tf.mul(tf.mul(centred, tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon))), w);
};
const plainGelu = (x: tf.Tensor) =>
  tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(tf.mul(tf.add(x, tf.mul(tf.pow(x, 3), 0.044715)), Math.sqrt(2 / Math.PI))), 1));
const plainAttention = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) => {
  const [, H = 1, T = 1, D = 1] = q.shape;
  const repeat = (x: tf.Tensor) => {
    const copies = tf.stack(
      Array.from({ length: H / (x.shape[1] ?? 1) }, () => x),
      2,
    );
    return tf.reshape(copies, q.shape);
  };
  const seen = tf.linalg.bandPart(tf.ones([T, T]), -1, 0);
  const scores = tf.div(tf.matMul(q, repeat(k), false, true), Math.sqrt(D));
  return tf.matMul(tf.softmax(tf.sub(scores, tf.mul(tf.sub(1, seen), 1e9))), repeat(v));
};
const attention: TensorFunction = (q, k, v) => causalAttention({ q, k, v } as Record<'q' | 'k' | 'v', Heads>);

const cases: Record<string, Case> = {
  'linear, narrowing': {
    op: (x, w) => linear(x as Matrix, w as Matrix),
    plain: (x, w) => tf.matMul(x as Matrix, w as Matrix),
    shapes: [
      [6, 9],
      [9, 4],
    ],
  },
  'linear, widening, with a bias': {
    op: (x, w, b) => linear(x as Matrix, w as Matrix, { bias: b as Vector }),
    plain: (x, w, b) => tf.add(tf.matMul(x as Matrix, w as Matrix), b as Vector),
    shapes: [[6, 4], [4, 9], [9]],
  },
  'linear by the transpose': {
    op: (x, w) => linear(x as Matrix, w as Matrix, { transposed: true }),
    plain: (x, w) => tf.matMul(x as Matrix, w as Matrix, false, true),
    shapes: [
      [6, 4],
      [9, 4],
    ],
  },
  'linear by the transpose, narrowing': {
    op: (x, w) => linear(x as Matrix, w as Matrix, { transposed: true }),
    plain: (x, w) => tf.matMul(x as Matrix, w as Matrix, false, true),
    shapes: [
      [6, 9],
      [4, 9],
    ],
  },
  layerNorm: {
    op: (x, weight) => layerNorm(x as Matrix, { weight: weight as Vector, epsilon }),
    plain: (x, w) => plainNorm(x as Matrix, w as Vector),
    shapes: [[5, 8], [8]],
  },
  'layerNorm with a bias': {
    op: (x, w, b) => layerNorm(x as Matrix, { weight: w as Vector, bias: b as Vector, epsilon }),
    plain: (x, w, b) => tf.add(plainNorm(x as Matrix, w as Vector), b as Vector),
    shapes: [[5, 8], [8], [8]],
  },
  rmsNorm: {
    op: (x, weight) => rmsNorm(x as Matrix, { weight: weight as Vector, epsilon }),
    plain: (x, w) =>
      tf.mul(tf.mul(x as Matrix, tf.rsqrt(tf.add(tf.mean(tf.square(x as Matrix), -1, true), epsilon))), w as Vector),
    shapes: [[5, 8], [8]],
  },
  gelu: { op: (x) => gelu(x as Matrix), plain: (x) => plainGelu(x as Matrix), shapes: [[5, 8]] },
  silu: { op: (x) => silu(x as Matrix), plain: (x) => tf.mul(x as Matrix, tf.sigmoid(x as Matrix)), shapes: [[5, 8]] },
  embedding: {
    op: (table) => embedding(table as Matrix, ids),
    plain: (table) => tf.matMul(tf.cast(tf.oneHot(ids, 6), 'float32') as Matrix, table as Matrix),
    shapes: [[6, 3]],
  },
  softmaxCrossEntropy: {
    op: (logits) => softmaxCrossEntropy(logits as Matrix, targets),
    plain: (logits) =>
      tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits as Matrix), tf.cast(tf.oneHot(targets, 7), 'float32')), -1)),
    shapes: [[4, 7]],
  },
  rotate: {
    op: (x) => rotate(x as Heads, tables),
    plain: (x) => {
      const [first, second] = tf.split(x as Heads, 2, 3) as [Heads, Heads];
      return tf.add(tf.mul(x as Heads, tables.cos), tf.mul(tf.concat([tf.neg(second), first], 3), tables.sin));
    },
    shapes: [[2, 3, 5, 8]],
  },
  'attention in one block': {
    op: attention,
    plain: plainAttention as TensorFunction,
    shapes: [
      [2, 2, 9, 4],
      [2, 2, 9, 4],
      [2, 2, 9, 4],
    ],
  },
  'attention in two blocks': {
    op: attention,
    plain: plainAttention as TensorFunction,
    shapes: [
      [1, 2, 128, 8],
      [1, 2, 128, 8],
      [1, 2, 128, 8],
    ],
  },
  'attention in four blocks, with shared key heads': {
    op: attention,
    plain: plainAttention as TensorFunction,
    shapes: [
      [1, 6, 256, 4],
      [1, 2, 256, 4],
      [1, 2, 256, 4],
    ],
  },
};

describe.each(Object.entries(cases))('%s', (_, { op, plain, shapes }) => {
  const inputs = shapes.map((shape, i) => normal(shape, i + 1));
  const weights = normal(op(...inputs).shape, 99);

  test('gives the values and the gradients of the plain formula', () => {
    expect(maxDifference(op(...inputs), plain(...inputs))).toBeLessThan(1e-5);
    const expected = gradientsOf(plain, inputs, weights);
    gradientsOf(op, inputs, weights).forEach((gradient, i) => {
      expect(maxDifference(gradient, expected[i] as tf.Tensor)).toBeLessThan(2e-5);
    });
  });

  test('gives the same compiled, by XLA and by the graph executor', () => {
    const both = (xs: tf.Tensor[]) => [op(...xs), ...gradientsOf(op, xs, weights)];
    const expected = both(inputs);
    for (const lowering of ['xla', 'graph'] as const) {
      using compiled = jit(both, { lowering });
      compiled(inputs).forEach((tensor, i) => {
        expect(maxDifference(tensor, expected[i] as tf.Tensor)).toBeLessThan(2e-5);
      });
    }
  });

  test('has the slope that its gradient says', () => {
    expect(gradientError(op, inputs)).toBeLessThan(1e-3);
  });
});

test('wrong shapes are named, both of them', () => {
  expect(() => linear(tf.zeros([2, 3]), tf.zeros([4, 5]))).toThrow('linear: [2,3] times [4,5]: inner sizes differ');
  expect(() => softmaxCrossEntropy(tf.zeros([2, 3]), tf.zeros([4], 'int32'))).toThrow('[2,3] and targets [4]');
  expect(() => rotate(tf.zeros([1, 1, 4, 8]), tables)).toThrow('[1,1,4,8] with tables for [B, H, 5, 8]');
  const [q, k] = [tf.zeros<tf.Rank.R4>([1, 4, 8, 2]), tf.zeros<tf.Rank.R4>([1, 3, 8, 2])];
  expect(() => causalAttention({ q, k, v: k })).toThrow('q [1,4,8,2], k [1,3,8,2] and v [1,3,8,2] do not fit together');
});
