// Looks up what a requested run refers to, and pins it: datasets and base model at exact versions, every default filled in.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { DataSamplerServiceClient, Dataset } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { Hyperparameters, Objective, type RunSpec } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import type { WeightLoaderServiceClient } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { parseConfig } from '#lib/model/config-json.ts';
import { refuse } from '#lib/platform/check.ts';
import { AppError, hasCode } from '#lib/platform/errors.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import { type Base, checkInputs, hasValidation } from './check-inputs.ts';
import { checkHyperparameters, withDefaults } from './hyperparameters.ts';
import type { RunInputs } from './run.ts';

export interface Catalogues {
  dataSampler: Pick<DataSamplerServiceClient, 'getDataset'>;
  weightLoader: Pick<WeightLoaderServiceClient, 'getModel'>;
  objects: Pick<ObjectStore, 'get'>;
}

export interface ResolvedSpec {
  spec: RunSpec;
  inputs: RunInputs;
}

/** Expects a spec that `checkRequest` has nothing against. INVALID_ARGUMENT names every field that does not fit, NOT_FOUND the one that leads nowhere. */
export const resolveSpec = async (
  asked: RunSpec,
  catalogues: Catalogues,
  signal: AbortSignal,
): Promise<ResolvedSpec> => {
  const [datasets, base] = await Promise.all([
    findDatasets(asked, catalogues, signal),
    findBase(asked, catalogues, signal),
  ]);
  const model = shapeOf(asked, base);
  const hyperparameters = withDefaults(asked.hyperparameters ?? Hyperparameters.create(), {
    finetune: base !== undefined,
    context: model.contextSize,
  });
  refuse([
    ...checkHyperparameters(hyperparameters),
    ...checkInputs({ objective: asked.objective, hyperparameters, datasets, base, model }),
  ]);
  const pinned = {
    ...asked,
    hyperparameters,
    ...(base && { start: { $case: 'base' as const, value: base.version.ref as ArtifactRef } }),
    mixture: asked.mixture.map((part, index) => ({ ...part, dataset: datasets[index]?.ref })),
  };
  return { spec: pinned, inputs: toInputs(asked.objective, datasets, base) };
};

const findDatasets = ({ mixture }: RunSpec, { dataSampler }: Catalogues, signal: AbortSignal): Promise<Dataset[]> =>
  Promise.all(
    mixture.map(({ dataset: ref }, index) =>
      lookUp(`spec.mixture[${index}].dataset`, async () => {
        const { dataset } = await dataSampler.getDataset({ dataset: ref }, { signal });
        return dataset;
      }),
    ),
  );

const findBase = async (
  { start }: RunSpec,
  { weightLoader, objects }: Catalogues,
  signal: AbortSignal,
): Promise<Base | undefined> => {
  if (start?.$case !== 'base') return undefined;
  const version = await lookUp('spec.base', async () => {
    const { version } = await weightLoader.getModel({ model: start.value }, { signal });
    return version;
  });
  const config = await objects.get(`${version.prefix.replace(/\/$/, '')}/config.json`, { signal });
  return { version, config: parseConfig(Buffer.from(config).toString('utf8')) };
};

/** What a field refers to; that it is not there becomes that field's fault. */
const lookUp = async <T>(field: string, get: () => Promise<T | undefined>): Promise<T> => {
  try {
    const found = await get();
    if (found !== undefined) return found;
  } catch (error) {
    if (!hasCode(error, 'NOT_FOUND')) throw error;
    throw new AppError('NOT_FOUND', `${field}: ${error.message}`, { field, cause: error });
  }
  throw new AppError('INTERNAL', `${field}: the answer was empty`);
};

const shapeOf = ({ start }: RunSpec, base: Base | undefined): { contextSize: number; nLayer: number } => {
  if (base) return base.config;
  if (start?.$case !== 'architecture')
    throw new AppError('INTERNAL', 'a run without architecture and base passed the check');
  return { contextSize: start.value.blockSize, nLayer: start.value.nLayer };
};

const toInputs = (objective: Objective, datasets: readonly Dataset[], base: Base | undefined): RunInputs => {
  const [first] = datasets as [Dataset, ...Dataset[]];
  return {
    tokenizer: first.tokenizer as ArtifactRef,
    tokenizerSha256: first.tokenizerSha256,
    vocabSize: base?.config.vocabSize ?? first.vocabSize,
    labelNames: objective === Objective.OBJECTIVE_CLASSIFY ? first.labelNames : [],
    basePrefix: base?.version.prefix ?? '',
    validated: datasets.filter(hasValidation).map(({ ref }) => ref as ArtifactRef),
  };
};
