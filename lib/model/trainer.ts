// A training run's numerical half: parameters, optimiser state and the compiled step, behind a few functions. A run is a
// function of its options and its batches: the same ones give the same bits, also across a stop and a start from `state()`.
import { tf } from '#lib/tensor/tfjs.ts';
import { type Batch, isLabelled, type Sheet, toSheet } from './batches.ts';
import type { ModelConfig } from './config.ts';
import { createMeter, type EvaluationMetrics } from './meter.ts';
import { learningRateAt, type Moments, paceOf } from './optimizer.ts';
import { checkWeights, completeWeights, fromParams, initWeights, type Params, paramSpecs, toParams } from './params.ts';
import { createTrainStep } from './train-step.ts';
import { getWeight, sizeOf, type Weights, weightTensor } from './weights.ts';

export type { EvaluationMetrics };

export type Objective = 'lm' | 'classify';

export interface Hyperparameters {
  readonly learningRate: number;
  readonly minLearningRate: number;
  readonly warmupSteps: number;
  /** The step at which the cosine reaches minLearningRate. */
  readonly maxSteps: number;
  readonly beta1: number;
  readonly beta2: number;
  /** Of matrices only, decoupled. */
  readonly weightDecay: number;
  /** Largest global norm of the gradient; 0: no clipping. */
  readonly gradClip: number;
  readonly dropout: number;
}

/** Everything a run needs to go on as if it had never stopped; both maps can be written as safetensors files. */
export interface TrainerState {
  /** Updates made so far. */
  readonly step: number;
  readonly weights: Weights;
  /** AdamW's moments of the trained weights: `exp_avg.<name>` and `exp_avg_sq.<name>`. */
  readonly optimizer: Weights;
}

export interface TrainerOptions {
  readonly config: ModelConfig;
  readonly objective: Objective;
  readonly hyper: Hyperparameters;
  /** Seeds dropout, and the weights that `start` does not have. */
  readonly seed: number;
  /**
   * Fresh weights where absent; a base model's weights (a missing `score.weight` is made for a classifier); or the state
   * of a run to go on with.
   */
  readonly start?: Weights | TrainerState | undefined;
  /** Which weights are trained; the others cost no gradient, no moments and less compiling. Default: all. */
  readonly trainable?: ((name: string) => boolean) | undefined;
}

export interface StepMetrics {
  /** Updates made, this one included. */
  readonly step: number;
  /** Mean over everything that carried loss in this step. */
  readonly loss: number;
  /** Global norm before clipping. */
  readonly gradNorm: number;
  readonly learningRate: number;
  /** Tokens (or labelled rows) that carried loss. */
  readonly scored: number;
}

export interface Trainer extends Disposable {
  readonly step: number;
  /** One update from one or more micro-batches. Blocks the thread: call it in a worker. */
  update(microBatches: readonly Batch[]): StepMetrics;
  /** Without dropout, over all batches together; gives way to the event loop between batches. */
  evaluate(batches: AsyncIterable<Batch> | Iterable<Batch>): Promise<EvaluationMetrics>;
  /** A copy of the present weights in the model's own order. */
  weights(): Weights;
  state(): TrainerState;
  dispose(): void;
}

/** Needs an open engine. Throws RangeError where weights, configuration and objective do not fit each other. */
export function createTrainer(options: TrainerOptions): Trainer {
  const { config, hyper, seed } = options;
  const adam = { ...hyper, epsilon: 1e-8 };
  const programs = createTrainStep({ config, dropout: hyper.dropout, adam, gradClip: hyper.gradClip });
  const meter = createMeter(config);
  const { frozen, ...restored } = begin(options);
  let { moments, step } = restored;

  const update = (microBatches: readonly Batch[]): StepMetrics => {
    const learningRate = learningRateAt(step, hyper);
    const pace = paceOf(step + 1, learningRate, adam);
    const sheets = toSheets(microBatches, options);
    const noiseSeed = (microBatch: number) => [Math.imul(step + 1, 0x9e3779b1) ^ seed, microBatch << 16] as const;
    const updated = programs.run({ moments, frozen, sheets, noiseSeed, pace });
    const [loss = Number.NaN, gradNorm = Number.NaN, scored = 0] = updated.metrics.dataSync<'float32'>();
    tf.dispose([moments, pace, updated.metrics]);
    moments = updated.moments;
    step += 1;
    return { step, loss, gradNorm, learningRate, scored };
  };
  const params = () => ({ ...frozen, ...moments.params });
  const weights = (): Weights => {
    const all = fromParams(params());
    return new Map(paramSpecs(config).map(({ name }) => [name, getWeight(all, name)]));
  };
  const dispose = () => {
    tf.dispose([moments, frozen]);
    programs.dispose();
    meter.dispose();
  };
  return {
    get step() {
      return step;
    },
    update,
    evaluate: (batches) => meter.measure(params(), batches),
    weights,
    state: () => ({ step, weights: weights(), optimizer: momentsToWeights(moments) }),
    dispose,
    [Symbol.dispose]: dispose,
  };
}

interface Beginning {
  readonly frozen: Params;
  readonly moments: Moments;
  readonly step: number;
}

/** Puts on the engine what a run begins with. */
function begin({ config, objective, seed, start, trainable = () => true }: TrainerOptions): Beginning {
  if ((config.labels !== undefined) !== (objective === 'classify')) {
    throw new RangeError(
      `trainer: objective "${objective}" ${config.labels ? 'with' : 'without'} class labels in the configuration`,
    );
  }
  const state = start instanceof Map || !start ? undefined : start;
  const given = state?.weights ?? (start as Weights | undefined);
  const weights = given ? completeWeights(config, given, seed) : initWeights(config, seed);
  checkWeights(config, weights);
  const part = (trained: boolean): Weights => new Map([...weights].filter(([name]) => trainable(name) === trained));
  const trained = part(true);
  if (trained.size === 0) throw new RangeError('trainer: no weight is trainable');
  return {
    frozen: toParams(part(false)),
    moments: weightsToMoments(trained, state?.optimizer),
    step: state?.step ?? 0,
  };
}

function toSheets(microBatches: readonly Batch[], { objective, config }: TrainerOptions): [Sheet, ...Sheet[]] {
  const [first, ...others] = microBatches;
  if (!first) throw new RangeError('trainer: an update needs at least one micro-batch');
  const odd = microBatches.find((batch) => isLabelled(batch) !== (objective === 'classify'));
  if (odd)
    throw new RangeError(
      `trainer: objective "${objective}" got a batch ${isLabelled(odd) ? 'with' : 'without'} labels`,
    );
  return [toSheet(first, config), ...others.map((batch) => toSheet(batch, config))];
}

const momentNames = { first: 'exp_avg', second: 'exp_avg_sq' } as const;

function momentsToWeights(moments: Moments): Weights {
  const named = (['first', 'second'] as const).flatMap((moment) =>
    [...fromParams(moments[moment])].map(([name, tensor]) => [`${momentNames[moment]}.${name}`, tensor] as const),
  );
  return new Map(named);
}

function weightsToMoments(trained: Weights, optimizer: Weights | undefined): Moments {
  const restore = (moment: string): Weights =>
    new Map(
      [...trained].map(([name, { shape }]) => [
        name,
        optimizer ? getWeight(optimizer, `${moment}.${name}`, shape) : zeros(shape),
      ]),
    );
  return {
    params: toParams(trained),
    first: toParams(restore(momentNames.first)),
    second: toParams(restore(momentNames.second)),
  };
}

const zeros = (shape: readonly number[]) => weightTensor(shape, new Float32Array(sizeOf(shape)));
