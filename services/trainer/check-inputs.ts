// Checks that a run's inputs fit each other and its hyper-parameters: kinds, tokenizers, labels, sizes. Pure.

import { formatRef } from '#lib/contracts/format-ref.ts';
import { type Dataset, DatasetKind, Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { type Hyperparameters, Objective } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import type { ModelVersion } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import type { ModelConfig } from '#lib/model/config.ts';
import type { FieldViolation } from '#lib/platform/errors.ts';

export interface Base {
  version: ModelVersion;
  config: ModelConfig;
}

export interface FoundInputs {
  objective: Objective;
  hyperparameters: Hyperparameters;
  /** In the order of the mixture. */
  datasets: readonly Dataset[];
  base: Base | undefined;
  /** Of the model, fresh or base. */
  model: { contextSize: number; nLayer: number };
}

const kinds = {
  [Objective.OBJECTIVE_PRETRAIN]: [DatasetKind.DATASET_KIND_TEXT, 'documents'],
  [Objective.OBJECTIVE_CLASSIFY]: [DatasetKind.DATASET_KIND_LABELLED, 'labelled rows'],
  [Objective.OBJECTIVE_INSTRUCT]: [DatasetKind.DATASET_KIND_INSTRUCTIONS, 'instructions'],
} as const;

const when = (wrong: boolean, field: string, description: string): FieldViolation[] =>
  wrong ? [{ field, description }] : [];

export const splitOf = (dataset: Dataset, split: Split) => dataset.splits.find((part) => part.split === split);

export const hasValidation = (dataset: Dataset): boolean =>
  (splitOf(dataset, Split.SPLIT_VALIDATION)?.documents ?? 0) > 0;

const checkDataset = (
  dataset: Dataset,
  index: number,
  { objective, datasets, base }: FoundInputs,
): FieldViolation[] => {
  const field = `spec.mixture[${index}].dataset`;
  const name = formatRef(dataset.ref);
  const [kind, content] = kinds[objective as keyof typeof kinds];
  const [first] = datasets;
  const train = splitOf(dataset, Split.SPLIT_TRAIN);
  const tokenizer = formatRef(dataset.tokenizer);
  const differs = dataset.tokenizerSha256 !== first?.tokenizerSha256;
  const foreign = base !== undefined && dataset.tokenizerSha256 !== base.version.tokenizerSha256;
  return [
    ...when(dataset.kind !== kind, field, `${name} does not hold ${content}, which this objective learns from`),
    ...when(!train?.documents, field, `${name} has an empty training part`),
    ...when(
      foreign,
      field,
      `${name} is encoded by tokenizer ${tokenizer}, not by the one of ${formatRef(base?.version.ref)}: create it with the model's tokenizer`,
    ),
    ...when(
      !foreign && differs,
      field,
      `${name} is encoded by ${tokenizer}, ${formatRef(first?.ref)} by ${formatRef(first?.tokenizer)}: one run has one tokenizer`,
    ),
    ...(objective === Objective.OBJECTIVE_CLASSIFY ? checkLabels(dataset, field, first) : []),
  ];
};

const checkLabels = ({ ref, labelNames }: Dataset, field: string, first: Dataset | undefined): FieldViolation[] => [
  ...when(labelNames.length < 2, field, `${formatRef(ref)} has ${labelNames.length} label(s): a classifier needs two`),
  ...when(
    String(labelNames) !== String(first?.labelNames),
    field,
    `${formatRef(ref)} has labels ${labelNames.join(', ')}; ${formatRef(first?.ref)} has ${first?.labelNames.join(', ')}`,
  ),
];

/** Everything that does not fit. */
export const checkInputs = (inputs: FoundInputs): FieldViolation[] => {
  const { objective, hyperparameters, datasets, base, model } = inputs;
  const { blockSize, trainLastLayers, keepBest } = hyperparameters;
  const path = 'spec.hyperparameters';
  const classes = base?.version.labels ?? [];
  return [
    ...datasets.flatMap((dataset, index) => checkDataset(dataset, index, inputs)),
    ...when(
      classes.length > 0 && objective !== Objective.OBJECTIVE_CLASSIFY,
      'spec.base',
      `${formatRef(base?.version.ref)} is a classifier (${classes.join(', ')}), not a language model`,
    ),
    ...when(
      blockSize > model.contextSize,
      `${path}.block_size`,
      `must be at most the model's context (${model.contextSize}); it is ${blockSize}`,
    ),
    ...when(
      trainLastLayers > model.nLayer,
      `${path}.train_last_layers`,
      `must be at most the model's ${model.nLayer} layers; it is ${trainLastLayers}`,
    ),
    ...when(
      keepBest && !datasets.some(hasValidation),
      `${path}.keep_best`,
      'needs a validation part, and no dataset of the mixture has one',
    ),
  ];
};
