import { describe, expect, test } from '@jest/globals';
import { maxDifference } from '../../tests/support/finite-differences.ts';
import { libraryDir } from '../../tests/support/library-dir.ts';
import { currentBackend } from './backend.ts';
import { dtypes } from './dtypes.ts';
import { openEngine } from './engine.ts';
import { leavesOf, type Tree } from './trees.ts';

const engine = openEngine({ libraryDir });
const { tf, jit } = engine;

const matrix = tf.tensor2d([1, -2, 3, 4.5, -5, 6], [2, 3]);
const positive = tf.tensor2d([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [2, 3]);
const integers = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3], 'int32');
const booleans = tf.tensor2d([1, 0, 1, 1, 0, 0], [2, 3], 'bool');
const indices = tf.tensor1d([1, 0, 1], 'int32');
const cube = tf.randomNormal([4, 5, 3], 0, 1, 'float32', 1) as ReturnType<typeof tf.tensor3d>;
const image = tf.randomNormal([1, 6, 6, 2], 0, 1, 'float32', 2) as ReturnType<typeof tf.tensor4d>;

/** What models and their losses are written with, and what is easily forgotten. */
const operations: Record<string, () => Tree> = {
  elementwise: () => [tf.exp, tf.log, tf.tanh, tf.sqrt, tf.rsqrt, tf.erf, tf.sigmoid].map((f) => f(positive)),
  arithmetic: () => [tf.add, tf.sub, tf.mul, tf.div, tf.maximum, tf.pow].map((f) => f(positive, matrix)),
  'integer arithmetic': () => [tf.add, tf.mul, tf.floorDiv, tf.mod].map((f) => f(integers, 4)),
  comparison: () => [tf.equal, tf.less, tf.greaterEqual].map((f) => f(matrix, positive)),
  logic: () => [tf.logicalNot(booleans), tf.any(booleans, 1), tf.where(booleans, matrix, 0)],
  reduction: () => [tf.sum(matrix), tf.mean(matrix, 0), tf.max(matrix, -1, true), tf.logSumExp(matrix, 1)],
  softmax: () => [tf.softmax(matrix), tf.logSoftmax(matrix)],
  product: () => [
    tf.matMul(matrix, positive, true),
    tf.matMul(cube, cube, false, true),
    tf.einsum('ij,kj->ik', matrix, positive),
  ],
  'product with activation': () => tf.fused.matMul({ a: matrix, b: positive, transposeB: true, activation: 'relu' }),
  cutting: () => [tf.slice(matrix, [0, 1], [2, 1]), tf.stridedSlice(matrix, [0, 0], [2, 3], [1, 2])],
  'cutting apart': () => [tf.split(matrix, [1, 2], 1), tf.unstack(cube, 1)],
  joining: () => [tf.concat([matrix, positive, matrix], 1), tf.stack([matrix, positive]), tf.addN([matrix, matrix])],
  turning: () => [
    tf.transpose(cube, [2, 0, 1]),
    tf.reshape(cube, [20, 3]),
    tf.reverse(matrix, 1),
    tf.expandDims(matrix, 1),
  ],
  repeating: () => [
    tf.tile(matrix, [2, 3]),
    tf.tile(tf.reshape(matrix, [1, 1, 1, 2, 3]), [2, 1, 1, 1, 2]),
    tf.broadcastTo(matrix, [4, 2, 3]),
  ],
  padding: () => [
    tf.pad(
      matrix,
      [
        [1, 0],
        [0, 2],
      ],
      3,
    ),
    tf.mirrorPad(
      matrix,
      [
        [1, 0],
        [0, 2],
      ],
      'reflect',
    ),
  ],
  gathering: () => [
    tf.gather(matrix, indices),
    tf.gather(matrix, indices, 1),
    tf.gatherND(matrix, tf.tensor2d([0, 1], [1, 2], 'int32')),
  ],
  scattering: () => [
    tf.scatterND(tf.tensor2d([1, 3], [2, 1], 'int32'), tf.tensor1d([5, 6]), [4]),
    tf.unsortedSegmentSum(tf.transpose(matrix), indices, 3),
  ],
  ranking: () => [tf.argMax(matrix, 1), Object.values(tf.topk(matrix, 2)), tf.cumsum(matrix, 1, true)],
  making: () => [tf.oneHot(indices, 4), tf.range(0, 5), tf.linalg.bandPart(matrix, 0, -1), tf.fill([2, 2], 7)],
  converting: () => [tf.cast(matrix, 'int32'), tf.cast(matrix, 'bool'), tf.cast(integers, 'float32')],
  convolution: () => [tf.conv2d(image, tf.ones([3, 3, 2, 4]), 1, 'same'), tf.maxPool(image, 2, 2, 'valid')],
  'complex numbers': () => [tf.real(tf.spectral.rfft(positive)), tf.imag(tf.complex(matrix, positive))],
};

test.each(Object.entries(operations))(
  '%s is the same eagerly, by XLA and by the graph executor, and leaks nothing',
  (_, run) => {
    const before = engine.memory();
    tf.tidy(() => {
      const eager = leavesOf(run());
      for (const lowering of ['xla', 'graph'] as const) {
        using compiled = jit(run, { lowering });
        const results = leavesOf(compiled());
        expect(results.map(({ dtype }) => dtype)).toEqual(eager.map(({ dtype }) => dtype));
        results.forEach((result, i) => {
          expect(maxDifference(result, eager[i] as typeof result)).toBeLessThan(1e-5);
        });
      }
    });
    expect(engine.memory()).toEqual(before);
  },
);

describe('values', () => {
  test.each([
    ['float32', [1.5, -2, 0]],
    ['int32', [1, -2, 2 ** 31 - 1]],
    ['bool', [1, 0, 1]],
    ['string', ['plain', '', 'longer than a short string may be: 東京']],
  ] as const)('of type %s come back as they went in', (dtype, values) => {
    const tensor = tf.tensor1d([...values] as number[], dtype);
    expect([...tf.tidy(() => tf.concat([tensor, tensor])).dataSync()]).toEqual([...values, ...values]);
  });

  test('without elements, and without axes', () => {
    expect([...tf.zeros([0, 3]).dataSync()]).toEqual([]);
    expect([...tf.add(tf.scalar(2), tf.scalar(3)).dataSync()]).toEqual([5]);
  });

  test('that are floats become integers where the tensor is of integers', () => {
    expect([...tf.tensor1d(Float32Array.of(1, 2), 'int32').dataSync()]).toEqual([1, 2]);
  });

  test('of types that tfjs lacks arrive as int32', () => {
    const backend = currentBackend();
    for (const dtype of ['int64', 'uint8'] as const) {
      const [cast] = backend.runOp('Cast', [tf.tensor1d([3, 250])], { SrcT: 1, DstT: dtypes[dtype].code });
      expect([cast?.dtype, ...(cast?.dataSync() ?? [])]).toEqual(['int32', 3, 250]);
    }
  });
});

test('shapes that do not fit are both named', () => {
  expect(() => tf.matMul(matrix, matrix)).toThrow('BatchMatMulV2(float32 [2,3], float32 [2,3])');
  expect(() => currentBackend().runOp('MatMul', [matrix, matrix], { T: 1 })).toThrow(
    'MatMul(float32 [2,3], float32 [2,3])',
  );
});

test('an operation that does not exist, an input too many and an unknown attribute are named', () => {
  const { runOp } = { runOp: currentBackend().runOp.bind(currentBackend()) };
  expect(() => runOp('NoSuchOp', [])).toThrow(/NoSuchOp/);
  expect(() => runOp('Neg', [matrix, matrix], { T: 1 })).toThrow(/Neg/);
  expect(() => runOp('Neg', [matrix], { T: 1, speed: 2 })).toThrow('Neg has no attribute speed, only T');
});

test('a failed operation leaves no trace on the next', () => {
  const before = engine.memory();
  expect(() => currentBackend().runOp('Reshape', [matrix, indices], { T: 1, Tshape: 3 })).toThrow();
  expect([...tf.tidy(() => tf.sum(matrix)).dataSync()]).toEqual([7.5]);
  expect(engine.memory().handles).toBe(before.handles + 1); // of the sum
});

test('the memory of disposed tensors is given back, and what is not disposed is counted', () => {
  const before = engine.memory();
  const kept = tf.ones([10, 10]);
  tf.tidy(() => void tf.mul(kept, tf.ones([10, 10])));
  expect(engine.memory()).toEqual({
    tensors: before.tensors + 1,
    handles: before.handles + 1,
    bytes: before.bytes + 400,
  });
  kept.dispose();
  expect(engine.memory()).toEqual(before);
});

test('an engine is opened once', () => {
  expect(openEngine({ libraryDir: '/nowhere' })).toBe(engine);
  expect(engine).toMatchObject({ device: 'cpu', version: expect.stringMatching(/^2\.21\./) });
});
