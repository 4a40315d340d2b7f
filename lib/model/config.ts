// The shape of a model, typed, with the field's own short names; and the shapes that have names of their own.
// `config-json.ts` reads and writes it as Hugging Face's config.json.

interface CommonConfig {
  vocabSize: number;
  /** Longest sequence in tokens. */
  contextSize: number;
  nLayer: number;
  nHead: number;
  /** Width of the residual stream. */
  nEmbd: number;
  /** Width inside the feed-forward part. */
  nInner: number;
  normEpsilon: number;
  /** Standard deviation of fresh weights. */
  initStd: number;
  /** The output matrix is the token embedding. */
  tied: boolean;
  /** Class names, by class id: the model is a classifier. */
  labels?: readonly string[] | undefined;
  bosTokenId?: number | undefined;
  eosTokenId?: number | undefined;
  padTokenId?: number | undefined;
}

export interface GptConfig extends CommonConfig {
  modelType: 'gpt2';
  /** Linear layers and layer norms have biases; false is nanoGPT's variant. */
  bias: boolean;
  /** Of embeddings, attention and residual branches, while training. */
  dropout: number;
}

export interface LlamaConfig extends CommonConfig {
  modelType: 'llama';
  /** Key/value heads; each serves nHead / nKvHead query heads. */
  nKvHead: number;
  headSize: number;
  ropeTheta: number;
}

export type ModelConfig = GptConfig | LlamaConfig;

export const modelTypes = ['gpt2', 'llama'] as const satisfies readonly ModelConfig['modelType'][];

/** Size of one attention head. */
export const headSizeOf = (config: ModelConfig): number =>
  config.modelType === 'llama' ? config.headSize : config.nEmbd / config.nHead;

/** What a caller must say about a fresh model; the rest follows. */
export interface Shape {
  vocabSize: number;
  contextSize: number;
  nLayer: number;
  nHead: number;
  nEmbd: number;
}

/** GPT-2's architecture (Radford et al. 2019) of any size. */
export function gptConfig(shape: Shape, { bias = true, dropout = 0 } = {}): GptConfig {
  const nInner = 4 * shape.nEmbd;
  return checkConfig({
    modelType: 'gpt2',
    ...shape,
    nInner,
    normEpsilon: 1e-5,
    initStd: 0.02,
    tied: true,
    bias,
    dropout,
  });
}

/** Llama's architecture (Touvron et al. 2023). The feed-forward width is 8/3 of the model's, rounded up to a multiple of 32. */
export function llamaConfig(
  shape: Shape,
  { nKvHead = shape.nHead, ropeTheta = 10_000, tied = true } = {},
): LlamaConfig {
  const headSize = shape.nEmbd / shape.nHead;
  const nInner = Math.ceil((8 * shape.nEmbd) / 3 / 32) * 32;
  return checkConfig({
    modelType: 'llama',
    ...shape,
    nKvHead,
    headSize,
    nInner,
    normEpsilon: 1e-5,
    initStd: 0.02,
    tied,
    ropeTheta,
  });
}

const gpt2 = (nLayer: number, nHead: number, nEmbd: number) => (): GptConfig => ({
  ...gptConfig({ vocabSize: 50_257, contextSize: 1024, nLayer, nHead, nEmbd }, { dropout: 0.1 }),
  bosTokenId: 50_256,
  eosTokenId: 50_256,
});

/** Named shapes: OpenAI's four GPT-2 sizes, and nanoGPT's two for characters (65 of them in tiny Shakespeare). */
export const presets = {
  gpt2: gpt2(12, 12, 768),
  'gpt2-medium': gpt2(24, 16, 1024),
  'gpt2-large': gpt2(36, 20, 1280),
  'gpt2-xl': gpt2(48, 25, 1600),
  'nanogpt-cpu': () => gptConfig({ vocabSize: 65, contextSize: 64, nLayer: 4, nHead: 4, nEmbd: 128 }, { bias: false }),
  'nanogpt-gpu': () =>
    gptConfig({ vocabSize: 65, contextSize: 256, nLayer: 6, nHead: 6, nEmbd: 384 }, { bias: false, dropout: 0.2 }),
} satisfies Record<string, () => ModelConfig>;

/** The same model with a classification head; its class ids are the indices of `labels`. */
export const asClassifier = <C extends ModelConfig>(config: C, labels: readonly string[]): C =>
  checkConfig({ ...config, labels });

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

type Rule = readonly [holds: boolean, problem: string];

const isCount = (value: number) => Number.isSafeInteger(value) && value > 0;
const counts = ['vocabSize', 'contextSize', 'nLayer', 'nHead', 'nEmbd', 'nInner'] as const;

function rulesOf(config: ModelConfig): Rule[] {
  const { normEpsilon, initStd, labels } = config;
  return [
    ...counts.map((key): Rule => [isCount(config[key]), `${key} is ${config[key]}: it must be a whole number above 0`]),
    [normEpsilon > 0, `normEpsilon is ${normEpsilon}: it must be above 0`],
    [initStd > 0, `initStd is ${initStd}: it must be above 0`],
    [labels === undefined || labels.length > 1, `labels has ${labels?.length}: a classifier needs at least 2 classes`],
    ...(config.modelType === 'gpt2' ? gptRules(config) : llamaRules(config)),
  ];
}

const gptRules = ({ nHead, nEmbd, dropout }: GptConfig): Rule[] => [
  [nEmbd % nHead === 0, `nEmbd ${nEmbd} is not a multiple of nHead ${nHead}`],
  [dropout >= 0 && dropout < 1, `dropout is ${dropout}: it must be at least 0 and below 1`],
];

const llamaRules = ({ nHead, nKvHead, headSize, ropeTheta }: LlamaConfig): Rule[] => [
  [isCount(nKvHead), `nKvHead is ${nKvHead}: it must be a whole number above 0`],
  [nHead % nKvHead === 0, `nHead ${nHead} is not a multiple of nKvHead ${nKvHead}`],
  [isCount(headSize / 2), `headSize is ${headSize}: rotary positions need an even number`],
  [ropeTheta > 0, `ropeTheta is ${ropeTheta}: it must be above 0`],
];

/** Returns the configuration. Throws ConfigError naming the first value that makes no model. */
export function checkConfig<C extends ModelConfig>(config: C): C {
  for (const [holds, problem] of rulesOf(config)) {
    if (!holds) throw new ConfigError(`${config.modelType}: ${problem}`);
  }
  return config;
}
