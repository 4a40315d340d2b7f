// What conversion works on: files by name, on this machine; and what it leaves behind: a Hugging Face directory and the facts about it.
import { readFile } from 'node:fs/promises';
import type { ModelConfig } from '#lib/model/config.ts';
import { ModelFormatError } from '#lib/model/formats/byte-source.ts';
import { checkWeights } from '#lib/model/params.ts';
import { countParameters, type Weights } from '#lib/model/weights.ts';
import type { Tokenizer } from '#lib/text/tokenizer.ts';
import type { ModelFacts } from '../model.ts';

/** Name -> path. */
export type Files = Readonly<Record<string, string>>;

/** The text of a file, or undefined where there is none of that name. */
export const textOf = async (files: Files, name: string): Promise<string | undefined> =>
  files[name] === undefined ? undefined : readFile(files[name], 'utf8');

export interface LoadedModel {
  config: ModelConfig;
  weights: Weights;
  tokenizer: Tokenizer;
}

/** Checks that the three belong together. Throws ModelFormatError, or RangeError naming a tensor. */
export function factsOf({ config, weights, tokenizer }: LoadedModel): ModelFacts {
  checkWeights(config, weights);
  if (tokenizer.vocabSize > config.vocabSize) {
    const message = `the tokenizer has ids up to ${tokenizer.vocabSize - 1}, the model knows ${config.vocabSize}`;
    throw new ModelFormatError(message);
  }
  return {
    modelType: config.modelType,
    parameters: countParameters(weights),
    contextLength: config.contextSize,
    vocabSize: config.vocabSize,
    labels: [...(config.labels ?? [])],
    chat: tokenizer.chatTemplate !== undefined,
  };
}
