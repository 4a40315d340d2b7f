// AdamW and clipping against PyTorch's, the schedule against nanoGPT's.
import { expect, test } from '@jest/globals';
import { adamwUpdate, clipFactor, globalNorm, learningRateAt, paceOf, type Schedule } from '#lib/model/optimizer.ts';
import { openEngine } from '#lib/tensor/engine.ts';
import { libraryDir } from '../support/library-dir.ts';
import { type Golden, largestDifference, readGolden, toTensor } from './golden.ts';

const { tf } = openEngine({ libraryDir });

interface Step {
  readonly gradients: [Golden, Golden];
  readonly norm: number;
  readonly learningRate: number;
  readonly after: [Golden, Golden];
}
const { begin, steps, schedule, rates } = readGolden<{
  begin: [Golden, Golden];
  steps: Step[];
  schedule: Schedule;
  rates: Record<string, number>;
}>('optimizer.json');

const adam = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 };

test("five clipped AdamW updates, the matrix decayed and the vector not, are PyTorch's", () => {
  const toRecord = ([matrix, vector]: readonly [Golden, Golden]) => ({
    matrix: toTensor(matrix),
    vector: toTensor(vector),
  });
  const zeros = () => ({ matrix: tf.zeros(begin[0].shape), vector: tf.zeros(begin[1].shape) });
  let moments = { params: toRecord(begin), first: zeros(), second: zeros() } as Parameters<typeof adamwUpdate>[0];
  for (const [i, { gradients, norm, learningRate, after }] of steps.entries()) {
    const grads = toRecord(gradients);
    const measured = globalNorm(grads);
    const factor = clipFactor(measured, 1);
    expect(measured.dataSync()[0]).toBeCloseTo(norm, 4);
    const clipped = { matrix: grads.matrix.mul(factor), vector: grads.vector.mul(factor) };
    moments = adamwUpdate(moments, clipped, paceOf(i + 1, learningRate, adam), adam);
    expect(largestDifference(moments.params.matrix?.dataSync() ?? [], after[0].values)).toBeLessThan(1e-6);
    expect(largestDifference(moments.params.vector?.dataSync() ?? [], after[1].values)).toBeLessThan(1e-6);
  }
});

test("the learning rate follows nanoGPT's formula", () => {
  for (const [step, rate] of Object.entries(rates))
    expect(learningRateAt(Number(step), schedule)).toBeCloseTo(rate, 12);
});

test('without clipping and without decay nothing is scaled', () => {
  expect(clipFactor(tf.scalar(1e9), 0).dataSync()[0]).toBe(1);
});
