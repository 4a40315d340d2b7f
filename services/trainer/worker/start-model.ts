// What a run begins with: the model's configuration, its weights where it has a base, and the tokenizer that goes with both.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { MixturePart } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { type Hyperparameters, Objective, type RunSpec } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { objectKeys } from '#lib/contracts/keys.ts';
import { asClassifier, gptConfig, llamaConfig, type ModelConfig } from '#lib/model/config.ts';
import { parseConfig } from '#lib/model/config-json.ts';
import { readSafetensors } from '#lib/model/formats/safetensors.ts';
import type { Weights } from '#lib/model/weights.ts';
import { type Artifact, openArtifact } from '#lib/platform/manifest.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import type { Tokenizer } from '#lib/text/tokenizer.ts';
import { readTokenizerFiles } from '#lib/text/tokenizer-files.ts';
import type { Run } from '../run.ts';

export interface StartModel {
  config: ModelConfig;
  /** The base model's; absent for fresh weights. */
  weights?: Weights;
  tokenizer: Tokenizer;
  /** As they lie in the store: the result gets the same bytes, and so the same tokenizer hash. */
  tokenizerFiles: Record<string, string>;
}

export const loadStartModel = async (objects: ObjectStore, { spec, inputs }: Run): Promise<StartModel> => {
  if (spec.start?.$case === 'architecture') {
    // Datasets carry the tokenizer that made them, whether it was trained, built in or a model's own.
    const [first] = spec.mixture as [MixturePart];
    const { name, version } = first.dataset as ArtifactRef;
    const files = await readTokenizer(await openArtifact(objects, objectKeys.dataset(name, version)));
    return { config: freshConfig(spec, inputs.vocabSize, files.tokenizer), ...files };
  }
  const base = await openArtifact(objects, inputs.basePrefix);
  const config = parseConfig(await base.readText('config.json'));
  const weights = await base.withLocalFile('model.safetensors', (file) => readSafetensors(file));
  const start = { weights, ...(await readTokenizer(base)) };
  if (spec.objective !== Objective.OBJECTIVE_CLASSIFY) return { config, ...start };
  // A head for other classes is of no use: the trainer makes a fresh one.
  if (String(config.labels) !== String(inputs.labelNames)) weights.delete('score.weight');
  return { config: asClassifier(config, inputs.labelNames), ...start };
};

const readTokenizer = async (artifact: Artifact): Promise<Pick<StartModel, 'tokenizer' | 'tokenizerFiles'>> => {
  const config = artifact.has('tokenizer_config.json') && {
    'tokenizer_config.json': await artifact.readText('tokenizer_config.json'),
  };
  const files = { 'tokenizer.json': await artifact.readText('tokenizer.json'), ...config };
  return { tokenizer: readTokenizerFiles(files), tokenizerFiles: files };
};

const freshConfig = ({ start }: RunSpec, vocabSize: number, { bosId, eosId, padId }: Tokenizer): ModelConfig => {
  if (start?.$case !== 'architecture') throw new TypeError('a fresh model needs an architecture');
  const { modelType, blockSize: contextSize, nLayer, nHead, nKvHead, nEmbd, noBias, dropout } = start.value;
  const shape = { vocabSize, contextSize, nLayer, nHead, nEmbd };
  const config =
    modelType === 'llama'
      ? llamaConfig(shape, { nKvHead: nKvHead || nHead })
      : gptConfig(shape, { bias: !noBias, dropout });
  return { ...config, bosTokenId: bosId, eosTokenId: eosId, padTokenId: padId };
};

/** A fresh model is trained with its architecture's dropout, a base with the run's. */
export const dropoutOf = ({ start, hyperparameters }: RunSpec): number =>
  start?.$case === 'architecture' ? start.value.dropout : (hyperparameters as Hyperparameters).dropout;
