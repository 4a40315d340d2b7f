// The documented defaults of a run's hyper-parameters (trainer.proto), and their check. Pure.
import type { Hyperparameters } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import type { FieldViolation } from '#lib/platform/errors.ts';

/** The keys under which metrics are kept have nine digits. */
const largestStep = 999_999_999;

/** Fills in what 0 stands for. `context` is the model's; finetunes start gentler. */
export const withDefaults = (
  asked: Hyperparameters,
  { finetune, context }: { finetune: boolean; context: number },
): Hyperparameters => {
  const maxSteps = asked.maxSteps || (finetune ? 300 : 2000);
  const learningRate = asked.learningRate || (finetune ? 5e-5 : 1e-3);
  const tenth = Math.ceil(maxSteps / 10);
  return {
    ...asked,
    maxSteps,
    batchSize: asked.batchSize || (finetune ? 8 : 12),
    accumulationSteps: asked.accumulationSteps || 1,
    blockSize: asked.blockSize || context,
    learningRate,
    minLearningRate: asked.minLearningRate || learningRate / 10,
    beta1: asked.beta1 || 0.9,
    beta2: asked.beta2 || (finetune ? 0.999 : 0.99),
    evalEvery: asked.evalEvery || tenth,
    checkpointEvery: asked.checkpointEvery || tenth,
    keepCheckpoints: asked.keepCheckpoints || 2,
  };
};

type Rule = (value: number, all: Hyperparameters) => string | false;

const wholeUpTo =
  (limit: number): Rule =>
  (value) =>
    !(Number.isSafeInteger(value) && value >= 1 && value <= limit) && `must be a whole number from 1 to ${limit}`;
const share: Rule = (value) => !(value >= 0 && value < 1) && 'must be at least 0 and below 1';
const notNegative: Rule = (value) => !(value >= 0 && Number.isFinite(value)) && 'must be a number from 0 on';
const notLarger =
  (than: keyof Hyperparameters, field: string): Rule =>
  (value, all) =>
    !(value >= 0 && value <= Number(all[than])) && `must be from 0 to ${field} (${all[than]})`;

const rules = {
  maxSteps: ['max_steps', wholeUpTo(largestStep)],
  batchSize: ['batch_size', wholeUpTo(65_536)],
  accumulationSteps: ['accumulation_steps', wholeUpTo(65_536)],
  blockSize: ['block_size', wholeUpTo(1_048_576)],
  learningRate: ['learning_rate', (value) => !(value > 0 && value <= 10) && 'must be above 0 and at most 10'],
  minLearningRate: ['min_learning_rate', notLarger('learningRate', 'learning_rate')],
  warmupSteps: ['warmup_steps', notLarger('maxSteps', 'max_steps')],
  beta1: ['beta1', share],
  beta2: ['beta2', share],
  weightDecay: ['weight_decay', notNegative],
  gradClip: ['grad_clip', notNegative],
  dropout: ['dropout', share],
  trainLastLayers: ['train_last_layers', notNegative],
  evalEvery: ['eval_every', wholeUpTo(largestStep)],
  evalBatches: ['eval_batches', notNegative],
  checkpointEvery: ['checkpoint_every', wholeUpTo(largestStep)],
  keepCheckpoints: ['keep_checkpoints', wholeUpTo(1000)],
} satisfies Record<Exclude<keyof Hyperparameters, 'keepBest'>, [field: string, rule: Rule]>;

/** Everything that is wrong with hyper-parameters whose defaults are filled in. */
export const checkHyperparameters = (all: Hyperparameters): FieldViolation[] =>
  Object.entries(rules).flatMap(([key, [field, rule]]) => {
    const value = all[key as keyof typeof rules];
    const description = rule(value, all);
    return description
      ? [{ field: `spec.hyperparameters.${field}`, description: `${description}; it is ${value}` }]
      : [];
  });
