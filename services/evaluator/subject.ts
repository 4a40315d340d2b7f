// The model under evaluation, from its verified files.

import type { ModelConfig } from '#lib/model/config.ts';
import { parseConfig } from '#lib/model/config-json.ts';
import { readSafetensors } from '#lib/model/formats/safetensors.ts';
import type { Weights } from '#lib/model/weights.ts';
import type { ModelFiles } from '#lib/platform/model-files.ts';
import { loadTokenizer } from '#lib/text/load-tokenizer.ts';
import type { Tokenizer } from '#lib/text/tokenizer.ts';

export interface Subject {
  config: ModelConfig;
  weights: Weights;
  tokenizer: Tokenizer;
}

export const loadSubject = async (files: ModelFiles): Promise<Subject> => ({
  config: parseConfig(files.config),
  weights: await readSafetensors(files.weights),
  tokenizer: loadTokenizer(JSON.parse(files.tokenizer), JSON.parse(files.tokenizerConfig)),
});
