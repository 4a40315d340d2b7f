// A reference in a request -> a tokenizer's files: `docs` in the object store, `model:<name>` with a model, `gpt2` also where nobody has stored it.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { WeightLoaderServiceClient } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { objectKeys } from '#lib/contracts/keys.ts';
import { nameProblem, versionProblem } from '#lib/platform/check.ts';
import { hasCode, invalidArgument } from '#lib/platform/errors.ts';
import type { DeadlineOption } from '#lib/platform/grpc-client.ts';
import { type Artifact, openArtifact } from '#lib/platform/manifest.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import type { TokenizerFiles } from '#lib/text/tokenizer-files.ts';

export interface LocatedTokenizer {
  /** With the version that an empty one or an alias stands for. */
  ref: ArtifactRef;
  /** The files' texts, or the name of a built-in one. */
  content: TokenizerFiles | 'gpt2';
}

export type LocateTokenizer = (ref: ArtifactRef | undefined, signal: AbortSignal) => Promise<LocatedTokenizer>;

export interface LocatorOptions {
  objects: ObjectStore;
  models: Pick<WeightLoaderServiceClient<DeadlineOption>, 'getModel'>;
}

const modelPrefix = 'model:';

/** INVALID_ARGUMENT for a tokenizer that does not exist. */
export function createTokenizerLocator({ objects, models }: LocatorOptions): LocateTokenizer {
  const ofModel = async ({ name, version }: ArtifactRef, signal: AbortSignal): Promise<LocatedTokenizer> => {
    const model = { name: name.slice(modelPrefix.length), version };
    refuse('tokenizer.name', nameProblem(model.name));
    const found = await models.getModel({ model }, { signal }).catch((error) => {
      throw hasCode(error, 'NOT_FOUND') ? invalidArgument('tokenizer', error.message) : error;
    });
    const { ref, prefix = '' } = found.version ?? {};
    return {
      ref: { name, version: ref?.version ?? '' },
      content: await readFiles(await openArtifact(objects, prefix)),
    };
  };

  const ofStore = async ({ name, version }: ArtifactRef): Promise<LocatedTokenizer> => {
    const found = version || (await newestVersion(objects, name));
    const artifact = found && (await findArtifact(objects, objectKeys.tokenizer(name, found)));
    if (artifact) return { ref: { name, version: found }, content: await readFiles(artifact) };
    if (name === 'gpt2' && (version === '' || version === 'v1')) return { ref: { name, version: 'v1' }, content: name };
    const asked = version ? `${name}@${version}` : name;
    throw invalidArgument(
      'tokenizer',
      `there is no tokenizer "${asked}": \`strata tokenizer list\` shows what there is`,
    );
  };

  return async (ref, signal) => {
    if (!ref?.name)
      throw invalidArgument('tokenizer.name', 'must name a tokenizer, "gpt2", or a model as "model:<name>"');
    if (ref.name.startsWith(modelPrefix)) return ofModel(ref, signal);
    refuse('tokenizer.name', nameProblem(ref.name));
    refuse('tokenizer.version', versionProblem(ref.version));
    return ofStore(ref);
  };
}

const refuse = (field: string, problem: ReturnType<typeof nameProblem>): void => {
  if (problem) throw invalidArgument(field, problem);
};

const findArtifact = (objects: ObjectStore, prefix: string): Promise<Artifact | undefined> =>
  openArtifact(objects, prefix).catch((error) => {
    if (hasCode(error, 'NOT_FOUND')) return undefined;
    throw error;
  });

async function newestVersion(objects: ObjectStore, name: string): Promise<string> {
  let newest = 0;
  for await (const { key } of objects.list(`tokenizers/${name}`)) {
    const [, number] = /\/v(\d+)\/manifest\.json$/.exec(key) ?? [];
    newest = Math.max(newest, Number(number ?? 0));
  }
  return newest ? `v${newest}` : '';
}

async function readFiles(artifact: Artifact): Promise<TokenizerFiles> {
  if (!artifact.has('tokenizer.json')) throw invalidArgument('tokenizer', `${artifact.prefix} has no tokenizer.json`);
  if (!artifact.has('tokenizer_config.json')) return { 'tokenizer.json': await artifact.readText('tokenizer.json') };
  return {
    'tokenizer.json': await artifact.readText('tokenizer.json'),
    'tokenizer_config.json': await artifact.readText('tokenizer_config.json'),
  };
}
