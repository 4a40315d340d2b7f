// Checks a requested run as far as its request alone goes: every field that is wrong, with its path. Pure.
// `resolve-inputs.ts` checks what it refers to.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import {
  type Architecture,
  type CreateRunRequest,
  Objective,
  type RunSpec,
} from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { nameProblem, versionProblem } from '#lib/platform/check.ts';
import type { FieldViolation } from '#lib/platform/errors.ts';

const problem = (field: string, description: ReturnType<typeof nameProblem>): FieldViolation[] =>
  description ? [{ field, description }] : [];

const checkName = (field: string, name: string): FieldViolation[] => problem(field, nameProblem(name));

const atLeastOne = (field: string, value: number): FieldViolation[] =>
  value >= 1 ? [] : [{ field, description: 'must be at least 1' }];

const when = (wrong: boolean, field: string, description: string): FieldViolation[] =>
  wrong ? [{ field, description }] : [];

/** The shape of a fresh model. */
export const checkArchitecture = (shape: Architecture, path = 'spec.architecture'): FieldViolation[] => {
  const { modelType, nHead, nKvHead, nEmbd, dropout } = shape;
  const llama = modelType === 'llama';
  const headSize = nEmbd / nHead;
  return [
    ...when(!llama && modelType !== 'gpt2', `${path}.model_type`, `must be "gpt2" or "llama"; it is "${modelType}"`),
    ...atLeastOne(`${path}.n_layer`, shape.nLayer),
    ...atLeastOne(`${path}.n_head`, nHead),
    ...atLeastOne(`${path}.n_embd`, nEmbd),
    ...atLeastOne(`${path}.block_size`, shape.blockSize),
    ...when(
      nHead > 0 && nEmbd % nHead !== 0,
      `${path}.n_embd`,
      `must be a multiple of n_head (${nHead}); it is ${nEmbd}`,
    ),
    ...when(
      llama && headSize % 2 === 1,
      `${path}.n_embd`,
      `gives heads of ${headSize}: rotary positions need an even size`,
    ),
    ...when(!llama && nKvHead > 0 && nKvHead !== nHead, `${path}.n_kv_head`, 'is for model_type "llama" only'),
    ...when(
      llama && nKvHead > 0 && nHead % nKvHead !== 0,
      `${path}.n_kv_head`,
      `must divide n_head (${nHead}); it is ${nKvHead}`,
    ),
    ...when(!(dropout >= 0 && dropout < 1), `${path}.dropout`, `must be at least 0 and below 1; it is ${dropout}`),
  ];
};

const checkRef = (field: string, ref: ArtifactRef | undefined): FieldViolation[] => [
  ...checkName(`${field}.name`, ref?.name ?? ''),
  ...problem(`${field}.version`, versionProblem(ref?.version ?? '')),
];

const checkStart = ({ start, objective }: RunSpec): FieldViolation[] => {
  switch (start?.$case) {
    case undefined:
      return [
        {
          field: 'spec.start',
          description: 'needs either architecture (fresh weights) or base (a model to start from)',
        },
      ];
    case 'base':
      // Its version may be an alias, which the weight loader knows.
      return checkName('spec.base.name', start.value.name);
    case 'architecture':
      return [
        ...when(
          objective !== Objective.OBJECTIVE_PRETRAIN,
          'spec.base',
          'is required: only pretraining starts from fresh weights',
        ),
        ...checkArchitecture(start.value),
      ];
    default:
      return start satisfies never;
  }
};

const checkMixture = ({ mixture }: RunSpec): FieldViolation[] => {
  if (mixture.length === 0) return [{ field: 'spec.mixture', description: 'must name at least one dataset' }];
  return mixture.flatMap(({ dataset, weight }, index) => [
    ...checkRef(`spec.mixture[${index}].dataset`, dataset),
    ...when(
      !(weight >= 0 && Number.isFinite(weight)),
      `spec.mixture[${index}].weight`,
      `must be a number from 0 on; it is ${weight}`,
    ),
  ]);
};

const objectives: readonly Objective[] = [
  Objective.OBJECTIVE_PRETRAIN,
  Objective.OBJECTIVE_CLASSIFY,
  Objective.OBJECTIVE_INSTRUCT,
];

/** Everything that is wrong with the request itself, its hyper-parameters aside. */
export const checkRequest = ({ name, spec }: CreateRunRequest): FieldViolation[] => {
  const named = checkName('name', name);
  return spec ? [...named, ...checkSpec(spec)] : [...named, { field: 'spec', description: 'is required' }];
};

const checkSpec = (spec: RunSpec): FieldViolation[] => [
  ...when(!objectives.includes(spec.objective), 'spec.objective', 'must be pretrain, classify or instruct'),
  ...checkStart(spec),
  ...checkMixture(spec),
  ...when(!(Number.isSafeInteger(spec.seed) && spec.seed >= 0), 'spec.seed', 'must be a whole number below 2^53'),
  ...(spec.outputModel === '' ? [] : checkName('spec.output_model', spec.outputModel)),
  ...(spec.device === '' ? [] : checkName('spec.device', spec.device)),
];
