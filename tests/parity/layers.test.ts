// T12: values and gradients of every layer against PyTorch's, and against finite differences.
import { expect, test } from '@jest/globals';
import { crossEntropySum } from '#lib/model/losses.ts';
import { causalAttention } from '#lib/tensor/attention.ts';
import { openEngine } from '#lib/tensor/engine.ts';
import { embedding, gelu, layerNorm, linear, rmsNorm, silu } from '#lib/tensor/ops.ts';
import { rotaryTables, rotate } from '#lib/tensor/rotary.ts';
import { libraryDir } from '../support/library-dir.ts';
import { type Golden, largestDifference, readGolden, relativeDifference, toTensor } from './golden.ts';

const { tf, jit } = openEngine({ libraryDir });
type Tensor = ReturnType<typeof toTensor>;
type Inputs = Record<string, Tensor>;

interface Case {
  readonly inputs: Record<string, Golden>;
  readonly dy: Golden;
  readonly y: Golden;
  readonly gradients: Record<string, Golden>;
}

const golden = readGolden<Record<string, Case>>('layers.json');
const epsilon = 1e-5;
const integers = ['ids', 'targets'];

const layers = {
  layerNorm: ({ x, weight, bias }) => layerNorm(x, { weight, bias, epsilon }),
  rmsNorm: ({ x, weight }) => rmsNorm(x, { weight, epsilon }),
  gelu: ({ x }) => gelu(x),
  silu: ({ x }) => silu(x),
  causalAttention: ({ q, k, v }) => causalAttention({ q, k, v }),
  groupedAttention: ({ q, k, v }) => causalAttention({ q, k, v }),
  longAttention: ({ q, k, v }) => causalAttention({ q, k, v }),
  linear: ({ x, weight, bias }) => linear(x, weight, { bias }),
  linearTransposed: ({ x, weight }) => linear(x, weight, { transposed: true }),
  rotate: ({ x }) => rotate(x, rotaryTables(5, { headSize: 4, theta: 10_000 })),
  embedding: ({ table, ids }) => embedding(table, ids),
  crossEntropySum: ({ logits, targets }) => crossEntropySum(logits, targets),
  // biome-ignore lint/suspicious/noExplicitAny: the ranks are in the golden file
} satisfies Record<string, (inputs: Record<string, any>) => Tensor>;

/** Output and gradients of sum(y * dy) for the float inputs, in the golden file's order. */
function differentiate(name: keyof typeof layers, inputs: Inputs, dy: Tensor): { y: Tensor; gradients: Tensor[] } {
  const layer = layers[name] as (inputs: Inputs) => Tensor;
  const floats = Object.keys(inputs).filter((key) => !integers.includes(key));
  const loss = (...values: Tensor[]) =>
    layer({ ...inputs, ...Object.fromEntries(floats.map((key, i) => [key, values[i] as Tensor])) })
      .mul(dy)
      .sum();
  const { grads } = tf.valueAndGrads(loss as never)(floats.map((key) => inputs[key] as Tensor));
  return { y: layer(inputs), gradients: grads };
}

const toInputs = (inputs: Record<string, Golden>): Inputs =>
  Object.fromEntries(
    Object.entries(inputs).map(([key, value]) => [key, toTensor(value, integers.includes(key) ? 'int32' : 'float32')]),
  );

const names = Object.keys(layers) as (keyof typeof layers)[];
const caseOf = (name: string): Case => golden[name] as Case;

test('every golden layer is tested', () => {
  expect(Object.keys(golden).sort()).toEqual([...names].sort());
});

test.each(names)("%s: values and gradients are PyTorch's", (name) => {
  const { inputs, dy, y, gradients } = caseOf(name);
  const got = differentiate(name, toInputs(inputs), toTensor(dy));
  expect(relativeDifference(got.y.dataSync(), y.values)).toBeLessThan(1e-5);
  for (const [i, [, expected]] of Object.entries(gradients).entries()) {
    expect(got.gradients[i]?.shape).toEqual(expected.shape);
    expect(relativeDifference(got.gradients[i]?.dataSync() ?? [], expected.values)).toBeLessThan(2e-5);
  }
});

test.each(names)('%s: compiled and eager agree', (name) => {
  const { inputs, dy } = caseOf(name);
  const run = (given: Inputs, cotangent: Tensor) => differentiate(name, given, cotangent);
  const eager = run(toInputs(inputs), toTensor(dy));
  const compiled = jit(run, { lowering: 'xla' })(toInputs(inputs), toTensor(dy));
  expect(relativeDifference(compiled.y.dataSync(), eager.y.dataSync())).toBeLessThan(1e-5);
  for (const [i, gradient] of eager.gradients.entries()) {
    expect(relativeDifference(compiled.gradients[i]?.dataSync() ?? [], gradient.dataSync())).toBeLessThan(2e-5);
  }
});

test.each(names)('%s: gradients are the slopes of finite differences', (name) => {
  const { inputs, dy } = caseOf(name);
  const layer = layers[name] as (inputs: Inputs) => Tensor;
  const { gradients } = differentiate(name, toInputs(inputs), toTensor(dy));
  const floats = Object.keys(inputs).filter((key) => !integers.includes(key));
  const lossAt = (key: string, index: number, change: number): number => {
    const moved = (inputs[key] as Golden).values.map((value, i) => (i === index ? value + change : value));
    const changed = toInputs({ ...inputs, [key]: { shape: inputs[key]?.shape ?? [], values: moved } });
    const products = layer(changed).mul(toTensor(dy)).dataSync<'float32'>();
    return products.reduce((sum, product) => sum + product, 0);
  };
  for (const [i, key] of floats.entries()) {
    const gradient = gradients[i]?.dataSync() ?? [];
    const every = Math.ceil(gradient.length / 6); // a few entries of each input are enough
    const entries = Array.from({ length: gradient.length }, (_, index) => index).filter((index) => index % every === 0);
    const slopes = entries.map((index) => (lossAt(key, index, 1e-2) - lossAt(key, index, -1e-2)) / 2e-2);
    const expected = entries.map((index) => gradient[index] ?? Number.NaN);
    expect(largestDifference(slopes, expected)).toBeLessThan(2e-3 * Math.max(1, ...expected.map(Math.abs)));
  }
});
