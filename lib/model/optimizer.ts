// AdamW (Loshchilov, Hutter 2019) with PyTorch's arithmetic, clipping by the global norm, and nanoGPT's schedule.
import { tf } from '#lib/tensor/tfjs.ts';
import type { Params } from './param-spec.ts';

export interface AdamW {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Of tensors with two dimensions or more: matrices decay, norms and biases do not. */
  readonly weightDecay: number;
}

export interface Schedule {
  readonly learningRate: number;
  readonly minLearningRate: number;
  readonly warmupSteps: number;
  readonly maxSteps: number;
}

const { cos, PI, sqrt } = Math;

/** The learning rate of the update after `step` others: linear warm-up, then a cosine down to minLearningRate. */
export function learningRateAt(step: number, schedule: Schedule): number {
  const { learningRate, minLearningRate, warmupSteps, maxSteps } = schedule;
  if (step < warmupSteps) return (learningRate * (step + 1)) / (warmupSteps + 1);
  if (step >= maxSteps) return minLearningRate;
  const done = (step - warmupSteps) / (maxSteps - warmupSteps);
  return minLearningRate + 0.5 * (1 + cos(PI * done)) * (learningRate - minLearningRate);
}

/** What changes from update to update, as scalars on the engine, so that one program serves every step. */
export type Pace = Readonly<Record<'learningRate' | 'stepSize' | 'secondCorrection', tf.Scalar>>;

/** The pace of update number `step`, counted from 1. The caller disposes it. */
export const paceOf = (step: number, learningRate: number, { beta1, beta2 }: AdamW): Pace => ({
  learningRate: tf.scalar(learningRate),
  stepSize: tf.scalar(learningRate / (1 - beta1 ** step)),
  secondCorrection: tf.scalar(1 / sqrt(1 - beta2 ** step)),
});

export type Moments = Readonly<Record<'params' | 'first' | 'second', Params>>;

/** One update of all parameters; also of their moments. */
export function adamwUpdate({ params, first, second }: Moments, grads: Params, pace: Pace, adam: AdamW): Moments {
  const names = Object.keys(params);
  const collect = (of: (name: string) => tf.Tensor) => Object.fromEntries(names.map((name) => [name, of(name)]));
  const at = (tensors: Params, name: string) => tensors[name] as tf.Tensor;

  const m = collect((name) =>
    at(first, name)
      .mul(adam.beta1)
      .add(at(grads, name).mul(1 - adam.beta1)),
  );
  const v = collect((name) =>
    at(second, name)
      .mul(adam.beta2)
      .add(
        at(grads, name)
          .square()
          .mul(1 - adam.beta2),
      ),
  );
  const updated = collect((name) => {
    const old = at(params, name);
    const kept =
      old.rank < 2 || adam.weightDecay === 0 ? old : old.sub(old.mul(pace.learningRate).mul(adam.weightDecay));
    const scale = at(v, name).sqrt().mul(pace.secondCorrection).add(adam.epsilon);
    return kept.sub(at(m, name).div(scale).mul(pace.stepSize));
  });
  return { params: updated, first: m, second: v };
}

/** Square root of the sum of squares over all gradients. */
export const globalNorm = (grads: Params): tf.Scalar =>
  tf.addN(Object.values(grads).map((grad) => grad.square().sum())).sqrt() as tf.Scalar;

/** What to multiply gradients of this norm with so that it is at most `limit`; 1 where limit is 0. */
export const clipFactor = (norm: tf.Scalar, limit: number): tf.Scalar =>
  limit === 0 ? tf.onesLike(norm) : (tf.minimum(norm.add(1e-6).reciprocal().mul(limit), 1) as tf.Scalar);
