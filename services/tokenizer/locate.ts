// A reference in a request -> where the tokenizer's files lie: `docs` or `gpt2` in the registry, `model:<name>` with a model.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { WeightLoaderServiceClient } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { objectKeys } from '#lib/contracts/keys.ts';
import { nameProblem, versionProblem } from '#lib/platform/check.ts';
import { fromUnknown, invalidArgument } from '#lib/platform/errors.ts';
import type { DeadlineOption } from '#lib/platform/grpc-client.ts';
import { builtInNames } from './built-ins.ts';
import type { Description } from './describe.ts';
import type { Registry } from './registry.ts';

export interface Located {
  /** With the version that an empty one or an alias stands for. */
  ref: ArtifactRef;
  /** In the object store. */
  prefix: string;
  createTime: string;
  /** Where the registry knows it; a model's tokenizer has to be loaded to be described. */
  description?: Description;
}

export type Locate = (ref: ArtifactRef | undefined, signal: AbortSignal) => Promise<Located>;

export interface LocatorOptions {
  registry: Registry;
  /** Resolves when the built-in tokenizers are registered. */
  builtIns: Promise<void>;
  models: Pick<WeightLoaderServiceClient<DeadlineOption>, 'getModel'>;
}

const modelPrefix = 'model:';

export const createLocator = ({ registry, builtIns, models }: LocatorOptions): Locate => {
  const ofModel = async (ref: ArtifactRef, signal: AbortSignal): Promise<Located> => {
    const model = { name: ref.name.slice(modelPrefix.length), version: ref.version };
    refuseProblem('tokenizer.name', nameProblem(model.name));
    const { version } = await models.getModel({ model }, { signal });
    if (!version?.ref) throw fromUnknown(new Error(`weight-loader: no version of model ${model.name} came`));
    return {
      ref: { name: ref.name, version: version.ref.version },
      prefix: version.prefix,
      createTime: version.createTime,
    };
  };

  return async (ref, signal) => {
    if (!ref?.name) throw invalidArgument('tokenizer.name', 'must name a tokenizer, or a model as "model:<name>"');
    if (ref.name.startsWith(modelPrefix)) return ofModel(ref, signal);
    refuseProblem('tokenizer.name', nameProblem(ref.name));
    refuseProblem('tokenizer.version', versionProblem(ref.version));
    if (builtInNames.includes(ref.name)) await builtIns;
    const stored = await registry.get(ref);
    return {
      ref: stored.ref,
      prefix: objectKeys.tokenizer(stored.ref.name, stored.ref.version),
      createTime: stored.createTime,
      description: stored.description,
    };
  };
};

const refuseProblem = (field: string, problem: ReturnType<typeof nameProblem>): void => {
  if (problem) throw invalidArgument(field, problem);
};
