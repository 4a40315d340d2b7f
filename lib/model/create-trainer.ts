// Makes a trainer: parameters and AdamW's moments on the engine, the compiled step over them, and their copies for checkpoints.
import { tf } from '#lib/tensor/tfjs.ts';
import { type Batch, isLabelled, type Sheet, toSheet } from './batches.ts';
import { createMeter } from './meter.ts';
import { learningRateAt, type Moments, paceOf } from './optimizer.ts';
import type { Params } from './param-spec.ts';
import { checkWeights, completeWeights, fromParams, initWeights, paramSpecs, toParams } from './params.ts';
import { createTrainStep } from './train-step.ts';
import type { StepMetrics, Trainer, TrainerOptions } from './trainer.ts';
import { getWeight, sizeOf, type Weights, weightTensor } from './weights.ts';

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
    tf.dispose([pace, updated.metrics]);
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
  const all = given ? completeWeights(config, given, seed) : initWeights(config, seed);
  checkWeights(config, all);
  // In the model's own order, whatever order a file had: sums over all weights have to have the same bits again.
  const weights: Weights = new Map(paramSpecs(config).map(({ name }) => [name, getWeight(all, name)]));
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
  if (odd) {
    const kind = isLabelled(odd) ? 'with' : 'without';
    throw new RangeError(`trainer: objective "${objective}" got a batch ${kind} labels`);
  }
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
