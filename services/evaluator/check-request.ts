// Is what shall be evaluated there, and does it fit together? Every wrong field at once.
import {
  type DataSamplerServiceClient,
  type Dataset,
  DatasetKind,
  Split,
} from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import type { CreateEvaluationRequest, EvaluationTask } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import type { ModelVersion } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { refuse } from '#lib/platform/check.ts';
import { type FieldViolation, hasCode } from '#lib/platform/errors.ts';

export const longestSample = 4096;

/** What a task needs of its dataset and its model. */
const needs = {
  languageModelling: { kind: DatasetKind.DATASET_KIND_TEXT, content: 'documents', classifier: false },
  classification: { kind: DatasetKind.DATASET_KIND_LABELLED, content: 'labelled rows', classifier: true },
  instructionFollowing: { kind: DatasetKind.DATASET_KIND_INSTRUCTIONS, content: 'instructions', classifier: false },
  likelihood: { classifier: false },
  samples: { classifier: false },
} as const;

type Case = NonNullable<EvaluationTask['task']>;

/** What can be seen from the request alone. */
export function checkForm({ model, tasks }: CreateEvaluationRequest): void {
  refuse([
    ...(model?.name ? [] : [{ field: 'model', description: 'is required' }]),
    ...(tasks.length ? [] : [{ field: 'tasks', description: 'at least one is required' }]),
    ...tasks.flatMap(({ task }, index) =>
      formProblems(task).map(([name, description]) => ({ field: `tasks[${index}]${name}`, description })),
    ),
  ]);
}

function formProblems(task: EvaluationTask['task']): [field: string, description: string][] {
  switch (task?.$case) {
    case undefined:
      return [
        ['', 'is empty: set one of language_modelling, classification, likelihood, instruction_following, samples'],
      ];
    case 'languageModelling':
    case 'classification':
    case 'instructionFollowing':
      return [
        ...(task.value.dataset?.name ? [] : [['.dataset', 'is required'] as [string, string]]),
        ...(task.value.split === Split.SPLIT_UNSPECIFIED ? [['.split', 'is required'] as [string, string]] : []),
      ];
    case 'likelihood':
      return [
        ...(task.value.name ? [] : [['.name', 'is required'] as [string, string]]),
        ...(task.value.rows?.key ? [] : [['.rows', 'is required'] as [string, string]]),
      ];
    case 'samples':
      return [
        ...(task.value.prompts.length ? [] : [['.prompts', 'at least one is required'] as [string, string]]),
        ...(task.value.maxNewTokens > longestSample
          ? [
              ['.max_new_tokens', `must be at most ${longestSample}; it is ${task.value.maxNewTokens}`] as [
                string,
                string,
              ],
            ]
          : []),
      ];
    default:
      return task satisfies never;
  }
}

/** What can only be seen beside the model and the datasets. */
export async function checkFit(
  tasks: EvaluationTask[],
  model: ModelVersion,
  dataSampler: Pick<DataSamplerServiceClient, 'getDataset'>,
): Promise<void> {
  const problems = await Promise.all(
    tasks.map(({ task }, index) => fitProblems(task, { model, dataSampler, field: `tasks[${index}]` })),
  );
  refuse(problems.flat());
}

interface FitOptions {
  model: ModelVersion;
  dataSampler: Pick<DataSamplerServiceClient, 'getDataset'>;
  field: string;
}

async function fitProblems(
  task: EvaluationTask['task'],
  { model, dataSampler, field }: FitOptions,
): Promise<FieldViolation[]> {
  if (!task) return [];
  const { classifier } = needs[task.$case];
  const isClassifier = model.labels.length > 0;
  if (classifier !== isClassifier) {
    const description = classifier
      ? 'needs a classifier, and this model has no classes'
      : 'needs a language model, and this one is a classifier';
    return [{ field, description }];
  }
  if (task.$case === 'likelihood' || task.$case === 'samples') return [];
  const dataset = await findDataset(task, dataSampler);
  if (!dataset) return [{ field: `${field}.dataset`, description: `"${task.value.dataset?.name}" does not exist` }];
  return datasetProblems(task, dataset, model).map((description) => ({ field: `${field}.dataset`, description }));
}

type DatasetCase = Extract<Case, { value: { split: Split } }>;

function datasetProblems({ $case, value: { split } }: DatasetCase, dataset: Dataset, model: ModelVersion): string[] {
  const { kind, content } = needs[$case];
  if (dataset.kind !== kind) return [`holds no ${content}`];
  if (dataset.tokenizerSha256 !== model.tokenizerSha256) {
    return [
      `is encoded by tokenizer ${dataset.tokenizer?.name}, not by the model's own: create it with --tokenizer model:${model.ref?.name}`,
    ];
  }
  const isEmpty = !dataset.splits.find((part) => part.split === split)?.documents;
  const unknown = dataset.labelNames.filter((label) => !model.labels.includes(label));
  return [
    ...(isEmpty ? ['has nothing in this split'] : []),
    ...($case === 'classification' && unknown.length
      ? [`has labels that the model does not know: ${unknown.join(', ')}`]
      : []),
  ];
}

async function findDataset(
  { value: { dataset } }: DatasetCase,
  dataSampler: Pick<DataSamplerServiceClient, 'getDataset'>,
): Promise<Dataset | undefined> {
  try {
    return (await dataSampler.getDataset(dataset ? { dataset } : {})).dataset;
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}
