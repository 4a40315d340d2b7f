// Models with fresh weights and a tokenizer that is really trained, as the files of a Hugging Face directory: a second is enough to import,
// load and ask one.
import { asClassifier, gptConfig, llamaConfig, type ModelConfig, type Shape } from '#lib/model/config.ts';
import { configToJson } from '#lib/model/config-json.ts';
import { encodeSafetensors } from '#lib/model/formats/write-safetensors.ts';
import { initWeights } from '#lib/model/params.ts';
import type { Weights } from '#lib/model/weights.ts';
import { createPieceCounter } from '#lib/text/count-pieces.ts';
import { gpt2PreTokenizer } from '#lib/text/pre-tokenizers.ts';
import type { Tokenizer } from '#lib/text/tokenizer.ts';
import { writeTokenizerFiles } from '#lib/text/tokenizer-files.ts';
import { trainBpe } from '#lib/text/train-bpe.ts';

export interface TinyModel {
  readonly config: ModelConfig;
  readonly weights: Weights;
  readonly tokenizer: Tokenizer;
  /** Name -> content. */
  readonly files: Readonly<Record<string, Buffer>>;
}

const text = `The river is wide here and the boats are slow. A boat waits where the river bends, and the people wait with it.
When the rain comes the people go home; when the rain goes they come back to the boats. Über Flüsse fährt man langsam.`;

/** Bytes, some forty merges, ChatML. */
export function tinyTokenizer(): Tokenizer {
  const counter = createPieceCounter({ preTokenizer: gpt2PreTokenizer });
  counter.add(text);
  return trainBpe(counter.counts(), { vocabSize: 300 });
}

const kinds = {
  gpt2: (shape: Shape) => gptConfig(shape),
  llama: (shape: Shape) => llamaConfig(shape, { nKvHead: 1, tied: false }),
} satisfies Record<string, (shape: Shape) => ModelConfig>;
export type TinyKind = keyof typeof kinds;

export interface TinyOptions {
  seed?: number;
  contextSize?: number;
  /** Default 32; with 256 a token takes about a millisecond. */
  width?: number;
  /** Ids beyond the tokenizer's, as in a matrix that was rounded up. */
  padding?: number;
  /** Makes it a classifier. */
  labels?: readonly string[];
  tokenizer?: Tokenizer;
}

/** Weights so large that tokens differ in probability; an end token that is hardly ever likely. */
export function tinyModel(kind: TinyKind, options: TinyOptions = {}): TinyModel {
  const { seed = 1, contextSize = 256, width = 32, padding = 0, labels, tokenizer = tinyTokenizer() } = options;
  const { eosId = 0 } = tokenizer;
  const shape = { vocabSize: tokenizer.vocabSize + padding, contextSize, nLayer: 2, nHead: 2, nEmbd: width };
  const plain = { ...kinds[kind](shape), initStd: 0.3, eosTokenId: eosId };
  const config = labels ? asClassifier(plain, labels) : plain;
  const weights = initWeights(config, seed);
  neverEnd(config, weights, eosId);
  return { config, weights, tokenizer, files: toFiles({ config, weights, tokenizer }) };
}

/** GPT-2's last bias gives every state a part along (1, 1, …), which the end token's row points away from. Llama has no bias: a logit of 0. */
function neverEnd({ modelType, nEmbd }: ModelConfig, weights: Weights, eosId: number): void {
  const output = weights.get(modelType === 'gpt2' ? 'wte.weight' : 'lm_head.weight');
  output?.data.fill(modelType === 'gpt2' ? -1 : 0, eosId * nEmbd, (eosId + 1) * nEmbd);
  weights.get('ln_f.bias')?.data.fill(0.5);
}

export const toFiles = ({ config, weights, tokenizer }: Omit<TinyModel, 'files'>): Record<string, Buffer> => ({
  'config.json': Buffer.from(JSON.stringify(configToJson(config))),
  'model.safetensors': Buffer.concat([...encodeSafetensors(weights)]),
  ...Object.fromEntries(
    Object.entries(writeTokenizerFiles(tokenizer)).map(([name, json]) => [name, Buffer.from(json)]),
  ),
});
