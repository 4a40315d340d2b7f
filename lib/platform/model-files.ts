// The files of a model version, checked against its manifest, in the form that a thread or process loads them.
import type { Artifact } from './manifest.ts';

export interface ModelFiles {
  /** Contents of config.json, tokenizer.json, tokenizer_config.json, generation_config.json; the last two may be `{}`. */
  config: string;
  tokenizer: string;
  tokenizerConfig: string;
  generationConfig: string;
  /** Path of model.safetensors on this machine. */
  weights: string;
}

/** The weights' path is good until `use` is done. DATA_LOSS names the part that is not what the manifest says. */
export async function withModelFiles<T>(artifact: Artifact, use: (files: ModelFiles) => Promise<T>): Promise<T> {
  const optional = async (path: string): Promise<string> => (artifact.has(path) ? artifact.readText(path) : '{}');
  const small = {
    config: await artifact.readText('config.json'),
    tokenizer: await artifact.readText('tokenizer.json'),
    tokenizerConfig: await optional('tokenizer_config.json'),
    generationConfig: await optional('generation_config.json'),
  };
  return artifact.withLocalFile('model.safetensors', (weights) => use({ ...small, weights }));
}
