// The compiled programs of training: sums of loss and gradients over a micro-batch, and the update made of them. With one
// micro-batch a step is one program; with more it is one call of `gradients` each, added up, and one of `apply`.
import { jit } from '#lib/tensor/jit.ts';
import { tf } from '#lib/tensor/tfjs.ts';
import { type BatchTensors, type Sheet, toTensors } from './batches.ts';
import type { ModelConfig } from './config.ts';
import { forward, headLogits } from './forward.ts';
import { crossEntropySum, isScored } from './losses.ts';
import { type AdamW, adamwUpdate, clipFactor, globalNorm, type Moments, type Pace } from './optimizer.ts';
import type { Params } from './param-spec.ts';

export interface StepOptions {
  readonly config: ModelConfig;
  readonly dropout: number;
  readonly adam: AdamW;
  /** Largest global norm of the gradient; 0: no clipping. */
  readonly gradClip: number;
}

/** Sums over what carried loss, not yet divided by its count. */
export type GradientSums = { grads: Params; loss: tf.Scalar; scored: tf.Scalar };

/** `metrics` is [loss, gradient norm, scored], so that they are read in one go. */
export type Updated = { moments: Moments; metrics: tf.Tensor1D };

export interface StepInputs {
  readonly moments: Moments;
  readonly frozen: Params;
  readonly sheets: readonly [Sheet, ...Sheet[]];
  /** Seeds the dropout of each micro-batch. */
  readonly noiseSeed: (microBatch: number) => readonly [number, number];
  readonly pace: Pace;
}

export interface TrainStep {
  /** One update, written into the memory of the old moments; the caller disposes what comes back. */
  run(inputs: StepInputs): Updated;
  gradients(trained: Params, frozen: Params, batch: BatchTensors, seed: tf.Tensor1D): GradientSums;
  dispose(): void;
}

export function createTrainStep(options: StepOptions): TrainStep {
  const computeGradients = gradientSums(options);
  const computeUpdate = update(options);
  const gradients = jit(computeGradients);
  const apply = jit(computeUpdate, { donate: [0] });
  const add = jit(addSums);
  const whole = jit(
    (moments: Moments, frozen: Params, batch: BatchTensors, seed: tf.Tensor1D, pace: Pace) =>
      computeUpdate(moments, computeGradients(moments.params, frozen, batch, seed), pace),
    { donate: [0] },
  );

  const run = ({ moments, frozen, sheets, noiseSeed, pace }: StepInputs): Updated => {
    const inputsOf = (sheet: Sheet, index: number) =>
      [toTensors(sheet), tf.tensor1d([...noiseSeed(index)], 'int32')] as const;
    const [first, ...others] = sheets;
    if (others.length === 0) return whole(moments, frozen, ...inputsOf(first, 0), pace);
    const sumsOf = (sheet: Sheet, index: number) =>
      tf.tidy(() => gradients(moments.params, frozen, ...inputsOf(sheet, index)));
    let sums = sumsOf(first, 0);
    for (const [i, sheet] of others.entries()) {
      const before = sums;
      sums = tf.tidy(() => add(before, sumsOf(sheet, i + 1)));
      tf.dispose(before);
    }
    return apply(moments, sums, pace);
  };
  return {
    run: (inputs) => tf.tidy(() => run(inputs)),
    gradients,
    dispose: () => {
      for (const program of [gradients, apply, add, whole]) program.dispose();
    },
  };
}

const gradientSums =
  ({ config, dropout }: StepOptions): TrainStep['gradients'] =>
  (trained, frozen, batch, seed) => {
    const names = Object.keys(trained);
    const toRecord = (tensors: readonly tf.Tensor[]): Params =>
      Object.fromEntries(names.map((name, i) => [name, tensors[i] as tf.Tensor]));
    const lossOf = (...tensors: tf.Tensor[]): tf.Scalar => {
      const params = { ...frozen, ...toRecord(tensors) };
      const states = forward(config, params, batch.ids, { rate: dropout, seed });
      return crossEntropySum(headLogits(config, params, states, batch.lengths), batch.targets.flatten());
    };
    const { value, grads } = tf.valueAndGrads(lossOf)(Object.values(trained));
    return { grads: toRecord(grads), loss: value as tf.Scalar, scored: isScored(batch.targets).sum() };
  };

const addSums = (a: GradientSums, b: GradientSums): GradientSums => ({
  grads: Object.fromEntries(
    Object.entries(a.grads).map(([name, grad]) => [name, grad.add(b.grads[name] as tf.Tensor)]),
  ),
  loss: a.loss.add(b.loss),
  scored: a.scored.add(b.scored),
});

const update =
  ({ adam, gradClip }: StepOptions) =>
  (moments: Moments, { grads, loss, scored }: GradientSums, pace: Pace): Updated => {
    const share = tf.maximum(scored, 1).reciprocal(); // a step without anything to score divides by 1, not by 0
    const norm = globalNorm(grads).mul(share) as tf.Scalar;
    const factor = clipFactor(norm, gradClip).mul(share);
    const scaled = Object.fromEntries(Object.entries(grads).map(([name, grad]) => [name, grad.mul(factor)]));
    const metrics = tf.stack([loss.mul(share), norm, scored]) as tf.Tensor1D;
    return { moments: adamwUpdate(moments, scaled, pace, adam), metrics };
  };
