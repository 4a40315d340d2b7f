// Hugging Face's config.json for model types "gpt2" and "llama": read (checked, with the offending key and value in the
// error) and written. One key is ours: `"bias": false` for GPTs without biases.
import { ConfigError, checkConfig, type GptConfig, type LlamaConfig, type ModelConfig, modelTypes } from './config.ts';

type Json = Readonly<Record<string, unknown>>;

/** Parses and checks the text of a config.json. Throws ConfigError naming key and value. */
export function parseConfig(text: string): ModelConfig {
  try {
    return configFromJson(JSON.parse(text));
  } catch (cause) {
    if (cause instanceof SyntaxError) throw new ConfigError(`config.json is not JSON: ${cause.message}`, { cause });
    throw cause;
  }
}

/** A config.json's object as a configuration. Throws ConfigError naming key and value. */
export function configFromJson(value: unknown): ModelConfig {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ConfigError('config.json: expected an object');
  }
  const json = value as Json;
  const modelType = json.model_type;
  if (modelType === 'gpt2') return checkConfig(gptFromJson(json));
  if (modelType === 'llama') return checkConfig(llamaFromJson(json));
  throw wrong('model_type', modelType, `one of ${modelTypes.join(', ')}`);
}

function gptFromJson(json: Json): GptConfig {
  expectValue(json, 'activation_function', 'gelu_new');
  expectValue(json, 'scale_attn_weights', true);
  expectValue(json, 'scale_attn_by_inverse_layer_idx', false);
  expectValue(json, 'add_cross_attention', false);
  const nEmbd = count(json, 'n_embd');
  return {
    modelType: 'gpt2',
    vocabSize: count(json, 'vocab_size'),
    contextSize: count(json, 'n_positions'),
    nLayer: count(json, 'n_layer'),
    nHead: count(json, 'n_head'),
    nEmbd,
    nInner: count(json, 'n_inner', 4 * nEmbd),
    normEpsilon: number(json, 'layer_norm_epsilon', 1e-5),
    initStd: number(json, 'initializer_range', 0.02),
    tied: flag(json, 'tie_word_embeddings', true),
    bias: flag(json, 'bias', true),
    dropout: number(json, 'resid_pdrop', 0.1),
    ...optionalFields(json),
  };
}

function llamaFromJson(json: Json): LlamaConfig {
  expectValue(json, 'hidden_act', 'silu');
  expectValue(json, 'attention_bias', false);
  expectValue(json, 'mlp_bias', false);
  const nEmbd = count(json, 'hidden_size');
  const nHead = count(json, 'num_attention_heads');
  return {
    modelType: 'llama',
    vocabSize: count(json, 'vocab_size'),
    contextSize: count(json, 'max_position_embeddings'),
    nLayer: count(json, 'num_hidden_layers'),
    nHead,
    nEmbd,
    nInner: count(json, 'intermediate_size'),
    normEpsilon: number(json, 'rms_norm_eps', 1e-6),
    initStd: number(json, 'initializer_range', 0.02),
    tied: flag(json, 'tie_word_embeddings', false),
    nKvHead: count(json, 'num_key_value_heads', nHead),
    headSize: count(json, 'head_dim', nEmbd / nHead),
    ropeTheta: ropeTheta(json),
    ...optionalFields(json),
  };
}

/** transformers 5 writes `rope_parameters`, earlier ones `rope_theta` and `rope_scaling`. Only unscaled positions are known here. */
function ropeTheta(json: Json): number {
  const rope = (json.rope_parameters ?? json.rope_scaling ?? {}) as Json;
  const type = rope.rope_type ?? rope.type ?? 'default';
  if (type !== 'default') throw wrong('rope_type', type, '"default"');
  return number({ ...json, ...rope }, 'rope_theta', 10_000);
}

function optionalFields(json: Json): Partial<Pick<ModelConfig, 'labels' | `${'bos' | 'eos' | 'pad'}TokenId`>> {
  const fields = {
    labels: isClassifier(json) ? labelsOf(json) : undefined,
    bosTokenId: tokenId(json, 'bos_token_id'),
    eosTokenId: tokenId(json, 'eos_token_id'),
    padTokenId: tokenId(json, 'pad_token_id'),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

const isClassifier = ({ architectures }: Json): boolean =>
  Array.isArray(architectures) && String(architectures[0]).endsWith('ForSequenceClassification');

function labelsOf(json: Json): readonly string[] {
  const names = json.id2label;
  if (names === undefined) return Array.from({ length: count(json, 'num_labels', 2) }, (_, id) => `LABEL_${id}`);
  const entries = Object.entries(names as Json);
  return entries.map((_, id) => {
    const label = (names as Json)[id];
    if (typeof label !== 'string') throw wrong('id2label', names, `a name for each id from 0 to ${entries.length - 1}`);
    return label;
  });
}

/** `end of text` may be a list in config.json; the first is the one a trainer appends. */
function tokenId(json: Json, key: string): number | undefined {
  const value = Array.isArray(json[key]) ? json[key][0] : json[key];
  if (value === undefined || value === null) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw wrong(key, value, 'a token id');
  return value as number;
}

function count(json: Json, key: string, otherwise?: number): number {
  const value = json[key] ?? otherwise;
  if (!Number.isSafeInteger(value) || (value as number) <= 0) throw wrong(key, value, 'a whole number above 0');
  return value as number;
}

function number(json: Json, key: string, otherwise: number): number {
  const value = json[key] ?? otherwise;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw wrong(key, value, 'a number');
  return value;
}

function flag(json: Json, key: string, otherwise: boolean): boolean {
  const value = json[key] ?? otherwise;
  if (typeof value !== 'boolean') throw wrong(key, value, 'true or false');
  return value;
}

function expectValue(json: Json, key: string, known: string | boolean): void {
  const value = json[key] ?? known;
  if (value !== known) throw wrong(key, value, JSON.stringify(known));
}

const wrong = (key: string, value: unknown, expected: string): ConfigError =>
  new ConfigError(
    value === undefined
      ? `config.json: "${key}" is missing: expected ${expected}`
      : `config.json: "${key}" is ${JSON.stringify(value)}: expected ${expected}`,
  );

/** The object to write as config.json; transformers loads it, the `bias: false` variant aside. */
export function configToJson(config: ModelConfig): Record<string, unknown> {
  const shared = {
    vocab_size: config.vocabSize,
    initializer_range: config.initStd,
    tie_word_embeddings: config.tied,
    torch_dtype: 'float32',
    ...withoutUndefined({
      bos_token_id: config.bosTokenId,
      eos_token_id: config.eosTokenId,
      pad_token_id: config.padTokenId,
    }),
    ...labelFields(config.labels),
  };
  return config.modelType === 'gpt2' ? { ...gptToJson(config), ...shared } : { ...llamaToJson(config), ...shared };
}

const gptToJson = (config: GptConfig) => ({
  model_type: 'gpt2',
  architectures: [config.labels ? 'GPT2ForSequenceClassification' : 'GPT2LMHeadModel'],
  n_positions: config.contextSize,
  n_layer: config.nLayer,
  n_head: config.nHead,
  n_embd: config.nEmbd,
  n_inner: config.nInner,
  activation_function: 'gelu_new',
  layer_norm_epsilon: config.normEpsilon,
  resid_pdrop: config.dropout,
  embd_pdrop: config.dropout,
  attn_pdrop: config.dropout,
  ...(config.bias ? {} : { bias: false }),
});

const llamaToJson = (config: LlamaConfig) => ({
  model_type: 'llama',
  architectures: [config.labels ? 'LlamaForSequenceClassification' : 'LlamaForCausalLM'],
  max_position_embeddings: config.contextSize,
  num_hidden_layers: config.nLayer,
  num_attention_heads: config.nHead,
  num_key_value_heads: config.nKvHead,
  head_dim: config.headSize,
  hidden_size: config.nEmbd,
  intermediate_size: config.nInner,
  hidden_act: 'silu',
  rms_norm_eps: config.normEpsilon,
  rope_theta: config.ropeTheta,
  attention_bias: false,
  mlp_bias: false,
});

const labelFields = (labels: readonly string[] | undefined) =>
  labels && {
    num_labels: labels.length,
    id2label: Object.fromEntries(labels.map((label, id) => [id, label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
  };

const withoutUndefined = (fields: Record<string, number | undefined>) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
