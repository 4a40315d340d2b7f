import { describe, expect, test } from '@jest/globals';
import type { Tensor } from '@tensorflow/tfjs-core';
import { libraryDir } from '../../tests/support/library-dir.ts';
import { currentBackend } from './backend.ts';
import { openEngine } from './engine.ts';
import { TensorFlowError, TraceError } from './errors.ts';

const engine = openEngine({ libraryDir });
const { tf, jit } = engine;
const values = (tensor: Tensor) => [...tensor.dataSync()];
const vector = tf.tensor1d([1, 2, 3]);

describe('jit', () => {
  test('records once for each combination of shapes and types', () => {
    let runs = 0;
    using double = jit((x: Tensor) => {
      runs++;
      return tf.add(x, x);
    });
    for (let i = 0; i < 3; i++) double(vector).dispose();
    double(tf.tensor1d([4, 5, 6])).dispose();
    expect(runs).toBe(1);
    double(tf.ones([2, 2])).dispose();
    double(tf.tensor1d([1, 2, 3], 'int32')).dispose();
    expect(runs).toBe(3);
    expect(double.compiled.map(({ signature }) => signature)).toEqual(['[float32[3]]', '[float32[2,2]]', '[int32[3]]']);
  });

  test('takes and gives lists and records', () => {
    using f = jit((x: { a: Tensor; b: readonly Tensor[] }, y: Tensor) => ({
      sum: tf.addN([x.a, ...x.b, y]),
      rest: [x.b[1] as Tensor, y],
    }));
    const { sum, rest } = f(
      { a: vector, b: [tf.tensor1d([10, 20, 30]), tf.tensor1d([5, 5, 5])] },
      tf.tensor1d([1, 1, 1]),
    );
    expect([values(sum), ...rest.map(values)]).toEqual([
      [17, 28, 39],
      [5, 5, 5],
      [1, 1, 1],
    ]);
  });

  test('may give an argument, one result twice, a constant and an outer tensor', () => {
    using f = jit((x: Tensor) => {
      const y = tf.neg(x);
      return [x, y, y, tf.tensor1d([7, 7]), vector];
    });
    expect(f(tf.tensor1d([4])).map(values)).toEqual([[4], [-4], [-4], [7, 7], [1, 2, 3]]);
  });

  test('captures the value an outer tensor has while it is recorded, and keeps it', () => {
    const outer = tf.tensor1d([1, 1, 1]);
    using f = jit((x: Tensor) => tf.add(x, outer));
    f(vector).dispose();
    outer.dispose();
    expect(values(f(vector))).toEqual([2, 3, 4]);
  });

  test('differentiates inside, and is differentiated through', () => {
    const cube = (x: Tensor) => tf.sum(tf.pow(x, 3));
    using slope = jit((x: Tensor) => tf.grad(cube)(x));
    expect(values(slope(vector))).toEqual([3, 12, 27]);
    using compiled = jit(cube);
    expect(values(tf.grad(compiled)(vector))).toEqual([3, 12, 27]);
  });

  test('inside another jit becomes part of it', () => {
    using inner = jit((x: Tensor) => tf.mul(x, 2));
    using outer = jit((x: Tensor) => tf.add(inner(x), 1));
    expect(values(outer(vector))).toEqual([3, 5, 7]);
    expect(inner.compiled).toEqual([]);
  });

  test('leaves the work to the graph executor where XLA cannot compile it, and says why', () => {
    using f = jit(throughText);
    expect(values(f(vector))).toEqual([1, 2, 3]);
    expect(f.compiled).toMatchObject([{ lowering: 'graph', fallback: expect.stringMatching(/AsString/) }]);
    expect(values(f(vector))).toEqual([1, 2, 3]);
  });

  test('does not, where XLA was asked for', () => {
    using f = jit(throughText, { lowering: 'xla' });
    expect(() => f(vector)).toThrow(TensorFlowError);
    expect(() => f(vector)).toThrow(/AsString/);
  });

  test('keeps its memory when called again and again, and gives all of it back', () => {
    const before = engine.memory();
    const f = jit((x: Tensor) => ({ y: tf.mul(x, tf.tensor1d([1, 2, 3])), z: tf.add(x, vector) }));
    tf.dispose(f(vector));
    const settled = engine.memory();
    for (let i = 0; i < 20; i++) tf.dispose(f(vector));
    expect(engine.memory()).toEqual(settled);
    f.dispose();
    expect(engine.memory()).toEqual(before);
    tf.dispose(f(vector)); // compiles anew
    f.dispose();
    expect(engine.memory()).toEqual(before);
  });
});

describe('donated arguments', () => {
  type State = { w: Tensor; n: Tensor };
  const step = (state: State, x: Tensor) => ({
    loss: tf.sum(tf.mul(state.w, x)),
    state: { w: tf.sub(state.w, tf.mul(x, 0.5)), n: tf.add(state.n, tf.scalar(1, 'int32')) },
  });
  const start = (): State => ({ w: tf.tensor1d([1, 2, 3]), n: tf.scalar(0, 'int32') });

  test.each(['xla', 'graph'] as const)('are used up, and the results are those of a pure function (%s)', (lowering) => {
    const before = engine.memory();
    tf.tidy(() => {
      using update = jit(step, { lowering, donate: [0] });
      let state = start();
      const sums: number[] = [];
      for (let i = 0; i < 3; i++) {
        const old = state;
        const { loss, state: next } = update(state, vector);
        state = next;
        expect([old.w.isDisposed, old.n.isDisposed]).toEqual([true, true]);
        sums.push(...values(loss));
      }
      expect(sums).toEqual([14, 7, 0]);
      expect([values(state.w), values(state.n)]).toEqual([[-0.5, -1, -1.5], [3]]);
      expect(values(tf.mul(state.w, 2))).toEqual([-1, -2, -3]); // an ordinary tensor in every other way
      using plain = jit(step);
      expect(values(plain(state, vector).loss)).toEqual([-7]);
    });
    expect(engine.memory()).toEqual(before);
  });

  test('keep a copy that was read before', () => {
    using update = jit(step, { donate: [0] });
    const state = start();
    const first = update(state, vector).state;
    const copy = tf.tidy(() => tf.add(first.w, 0));
    const second = update(first, vector).state;
    expect([values(copy), values(second.w)]).toEqual([
      [0.5, 1, 1.5],
      [0, 0, 0],
    ]);
  });

  test('may be given back as they are, in another order, or not at all', () => {
    using swap = jit((s: { a: Tensor; b: Tensor; c: Tensor }) => ({ first: s.b, second: s.a }), { donate: [0] });
    const swapped = swap({ a: tf.tensor1d([1, 2]), b: tf.tensor1d([3, 4]), c: tf.ones([5]) });
    expect([values(swapped.first), values(swapped.second)]).toEqual([
      [3, 4],
      [1, 2],
    ]);
  });

  test('that someone else holds are refused, and left alone', () => {
    using update = jit(step, { donate: [0] });
    const state = start();
    const clone = state.w.clone();
    expect(() => update(state, vector)).toThrow('a donated float32 [3] is in use elsewhere');
    expect(values(clone)).toEqual([1, 2, 3]);
    const twice = { w: state.w, n: state.w };
    clone.dispose();
    expect(() => update(twice, vector)).toThrow('in use elsewhere');
  });

  test('need no second copy of themselves', () => {
    const size = 4096; // 64 MB
    using update = jit((x: Tensor) => tf.add(tf.mul(x, 0.5), 1), { donate: [0] });
    let x: Tensor = update(tf.ones([size, size]));
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 3; i++) x = update(x);
    expect(process.memoryUsage().rss - before).toBeLessThan(16 * 2 ** 20);
    expect(x.dataSync()[size]).toBe(1.9375);
    x.dispose();
  });
});

/** Numbers to text and back, which is nothing XLA can do. */
function throughText(x: Tensor): Tensor {
  const backend = currentBackend();
  const text = backend.runOp('AsString', [x], { T: backend.typeCode('float32') });
  return backend.runOp('StringToNumber', text, { out_type: backend.typeCode('float32') })[0] as Tensor;
}

describe('a function that cannot be recorded', () => {
  test('because it reads a tensor is told what to do instead, and leaves nothing behind', () => {
    const before = engine.memory();
    using f = jit((x: Tensor) => tf.mul(x, tf.sum(x).dataSync()[0] ?? 0));
    expect(() => f(vector)).toThrow(TraceError);
    expect(() => f(vector)).toThrow(/float32 \[\] has no value yet.*Return it from that function/);
    expect(engine.memory()).toEqual(before);
    expect(values(tf.tidy(() => tf.neg(vector)))).toEqual([-1, -2, -3]); // what follows runs
  });

  test('because it throws in the middle leaves nothing behind', () => {
    const before = engine.memory();
    using f = jit((x: Tensor): Tensor => {
      const y = tf.add(x, tf.ones([3]));
      throw new RangeError(`stopped at [${y.shape}]`);
    });
    expect(() => f(vector)).toThrow('stopped at [3]');
    expect(engine.memory()).toEqual(before);
  });

  test('because its gradient fails leaves nothing behind', () => {
    const before = engine.memory();
    using f = jit((x: Tensor) => tf.grad(() => tf.scalar(1))(x));
    expect(() => f(vector)).toThrow();
    expect(engine.memory()).toEqual(before);
  });

  test('because a shape depends on values is told so', () => {
    using f = jit((x: Tensor) => tf.unique(x as ReturnType<typeof tf.tensor1d>).values);
    expect(() => f(vector)).toThrow(/shape of UniqueV2's result depends on values/);
  });

  test('because what it takes or gives is not a tensor is told where', () => {
    using f = jit((x: { step: Tensor }) => x.step);
    expect(() => f({ step: 3 as unknown as Tensor })).toThrow('jit: argument[0].step is number');
    using g = jit((x: Tensor) => ({ y: x, z: undefined as unknown as Tensor }));
    expect(() => g(vector)).toThrow('jit: result.z is undefined');
  });

  test('because it kept a tensor of an earlier recording is told so', () => {
    const kept: Tensor[] = [];
    using f = jit((x: Tensor) => {
      kept.push(tf.keep(tf.neg(x)));
      return tf.add(x, kept[0] as Tensor);
    });
    f(vector).dispose();
    expect(() => f(tf.ones([3, 1]))).toThrow(/left over from an earlier recording/);
    expect(() => tf.neg(kept[0] as Tensor)).toThrow(/has no value/);
    tf.dispose(kept);
  });
});
