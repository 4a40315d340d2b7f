import { expect, test } from '@jest/globals';
import {
  Architecture,
  CreateRunRequest,
  Hyperparameters,
  Objective,
} from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { checkRequest } from './check-spec.ts';
import { checkHyperparameters, withDefaults } from './hyperparameters.ts';

const good = {
  name: 'tiny',
  spec: {
    objective: Objective.OBJECTIVE_PRETRAIN,
    start: {
      $case: 'architecture' as const,
      value: Architecture.create({ modelType: 'gpt2', nLayer: 4, nHead: 4, nEmbd: 128, blockSize: 64 }),
    },
    mixture: [{ dataset: { name: 'shakespeare', version: 'v1' }, weight: 0 }],
    seed: 1,
  },
};
const fieldsOf = (request: object): string[] =>
  checkRequest(CreateRunRequest.fromPartial(request)).map(({ field }) => field);

test('a complete request has nothing wrong with it', () => {
  expect(fieldsOf(good)).toEqual([]);
});

test('an empty request names every field that is missing, at once', () => {
  expect(fieldsOf({})).toEqual(['name', 'spec']);
  expect(fieldsOf({ name: 'Not a name', spec: {} })).toEqual(['name', 'spec.objective', 'spec.start', 'spec.mixture']);
});

test.each([
  [{ modelType: 'mamba' }, 'model_type'],
  [{ nLayer: 0 }, 'n_layer'],
  [{ nHead: 3 }, 'n_embd'],
  [{ nKvHead: 2 }, 'n_kv_head'],
  [{ modelType: 'llama', nKvHead: 3 }, 'n_kv_head'],
  [{ modelType: 'llama', nEmbd: 12 }, 'n_embd'],
  [{ blockSize: 0 }, 'block_size'],
  [{ dropout: 1 }, 'dropout'],
])('an architecture with %j is refused by its field', (change, field) => {
  const value = { ...good.spec.start.value, ...change };
  expect(fieldsOf({ ...good, spec: { ...good.spec, start: { $case: 'architecture', value } } })).toEqual([
    `spec.architecture.${field}`,
  ]);
});

test('finetunes need a base model', () => {
  const spec = { ...good.spec, objective: Objective.OBJECTIVE_CLASSIFY };
  expect(fieldsOf({ ...good, spec })).toEqual(['spec.base']);
});

test('a part of the mixture is named by its index', () => {
  const mixture = [{ dataset: { name: 'a' } }, { dataset: { name: '' }, weight: -1 }];
  expect(fieldsOf({ ...good, spec: { ...good.spec, mixture } })).toEqual([
    'spec.mixture[1].dataset.name',
    'spec.mixture[1].weight',
  ]);
});

test('zero hyper-parameters become the documented defaults, which are all allowed', () => {
  const pretrain = withDefaults(Hyperparameters.create(), { finetune: false, context: 64 });
  expect(pretrain).toMatchObject({
    maxSteps: 2000,
    batchSize: 12,
    blockSize: 64,
    learningRate: 1e-3,
    beta2: 0.99,
    evalEvery: 200,
  });
  expect(pretrain.minLearningRate).toBeCloseTo(1e-4);
  expect(checkHyperparameters(pretrain)).toEqual([]);
  expect(checkHyperparameters(withDefaults(Hyperparameters.create(), { finetune: true, context: 1024 }))).toEqual([]);
});

test.each([
  [{ maxSteps: 1e12 }, 'max_steps'],
  [{ learningRate: -1, minLearningRate: -1 }, 'learning_rate'],
  [{ learningRate: 1e-3, minLearningRate: 1e-2 }, 'min_learning_rate'],
  [{ maxSteps: 10, warmupSteps: 11 }, 'warmup_steps'],
  [{ beta1: 1 }, 'beta1'],
  [{ weightDecay: Number.NaN }, 'weight_decay'],
  [{ gradClip: Number.POSITIVE_INFINITY }, 'grad_clip'],
])('hyper-parameters %j are refused by their field', (asked, field) => {
  const all = withDefaults(Hyperparameters.create(asked), { finetune: false, context: 64 });
  expect(checkHyperparameters(all).map((violation) => violation.field)).toContain(`spec.hyperparameters.${field}`);
});
