// A GGUF file of the Llama type -> Hugging Face's configuration and weights. llama.cpp stores the rows of the query and key
// projections so that RoPE turns neighbours; Hugging Face turns the two halves of a head, so those rows are put back.

import type { Weights, WeightTensor } from '../weights.ts';
import { type ByteSource, ModelFormatError, withReader } from './byte-source.ts';
import { type GgufMetadata, readGgufHeader, readGgufTensor } from './gguf.ts';

/** The keys of Hugging Face's config.json for a Llama model. */
export interface LlamaConfigJson {
  readonly architectures: readonly ['LlamaForCausalLM'];
  readonly model_type: 'llama';
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly max_position_embeddings: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly hidden_act: 'silu';
  readonly attention_bias: boolean;
  readonly mlp_bias: false;
  readonly tie_word_embeddings: boolean;
  readonly bos_token_id?: number;
  readonly eos_token_id?: number;
}

export interface LlamaFromGguf {
  readonly config: LlamaConfigJson;
  readonly weights: Weights;
  /** Everything the header says; its tokenizer and chat template are under `tokenizer.`. */
  readonly metadata: GgufMetadata;
}

export interface GgufOptions {
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** Throws ModelFormatError where the file is damaged, or no Llama model that can be represented exactly. */
export const readLlamaGguf = (source: ByteSource, { onProgress }: GgufOptions = {}): Promise<LlamaFromGguf> =>
  withReader(source, async (reader) => {
    const { metadata, entries } = await readGgufHeader(reader);
    const config = toLlamaConfig(metadata, new Map(entries.map(({ name, shape }) => [name, shape])));
    const total = entries.reduce((sum, { begin, end }) => sum + end - begin, 0);
    const weights: Weights = new Map();
    let done = 0;
    for (const entry of entries) {
      const name = toLlamaName(entry.name);
      const heads = headsOfRows(name, config);
      const tensor = await readGgufTensor(reader, entry);
      weights.set(name, heads ? halvesFromPairs(tensor, heads) : tensor);
      done += entry.end - entry.begin;
      onProgress?.(done, total);
    }
    return { config, weights, metadata };
  });

/** The configuration that the metadata and the shapes of the tensors tell. */
export function toLlamaConfig(metadata: GgufMetadata, shapes: ReadonlyMap<string, readonly number[]>): LlamaConfigJson {
  checkKind(metadata, shapes);
  const number = (key: string, fallback?: number): number => numberOf(metadata, key, fallback);
  const hidden = number('llama.embedding_length');
  const heads = number('llama.attention.head_count');
  const vocabulary = shapes.get('token_embd.weight')?.[0];
  if (vocabulary === undefined) throw new ModelFormatError('gguf: no tensor "token_embd.weight"');
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: vocabulary,
    hidden_size: hidden,
    intermediate_size: number('llama.feed_forward_length'),
    num_hidden_layers: number('llama.block_count'),
    num_attention_heads: heads,
    num_key_value_heads: number('llama.attention.head_count_kv', heads),
    head_dim: number('llama.attention.key_length', hidden / heads),
    max_position_embeddings: number('llama.context_length'),
    rms_norm_eps: roundToFloat32Text(number('llama.attention.layer_norm_rms_epsilon')),
    rope_theta: roundToFloat32Text(number('llama.rope.freq_base', 10_000)),
    hidden_act: 'silu',
    attention_bias: shapes.has('blk.0.attn_q.bias'),
    mlp_bias: false,
    tie_word_embeddings: !shapes.has('output.weight'),
    ...tokenId(metadata, 'bos'),
    ...tokenId(metadata, 'eos'),
  };
}

/** Refuses what would be computed wrongly in silence. */
function checkKind(metadata: GgufMetadata, shapes: ReadonlyMap<string, unknown>): void {
  const architecture = metadata.get('general.architecture');
  if (architecture !== 'llama') {
    throw new ModelFormatError(`gguf: the architecture is ${JSON.stringify(architecture)}; "llama" is read`);
  }
  const scaling = metadata.get('llama.rope.scaling.type') ?? 'none';
  if (scaling !== 'none' || shapes.has('rope_freqs.weight')) {
    throw new ModelFormatError('gguf: the model scales its rotary frequencies (long context), which is not supported');
  }
  if (numberOf(metadata, 'llama.expert_count', 0) > 0) {
    throw new ModelFormatError('gguf: the model is a mixture of experts, which is not supported');
  }
}

function numberOf(metadata: GgufMetadata, key: string, fallback?: number): number {
  const value = metadata.get(key) ?? fallback;
  if (typeof value !== 'number') {
    throw new ModelFormatError(`gguf: metadata "${key}" is ${value === undefined ? 'missing' : 'no number'}`);
  }
  return value;
}

/** 1e-5 was stored as a float32: the shortest decimal of that float32 is the number that was meant. */
const roundToFloat32Text = (value: number): number => {
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
};

const tokenId = (metadata: GgufMetadata, role: 'bos' | 'eos') => {
  const id = metadata.get(`tokenizer.ggml.${role}_token_id`);
  return typeof id === 'number' ? { [`${role}_token_id`]: id } : {};
};

const globalNames: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
};

const layerNames: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};

/** `blk.3.attn_q.weight` -> `model.layers.3.self_attn.q_proj.weight`. */
export function toLlamaName(name: string): string {
  const match = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name);
  const part = match && layerNames[match[2] as string];
  const renamed = part ? `model.layers.${match[1]}.${part}.${match[3]}` : globalNames[name];
  if (!renamed) throw new ModelFormatError(`gguf: a Llama model has no tensor "${name}"`);
  return renamed;
}

const headsOfRows = (name: string, config: LlamaConfigJson): number | undefined => {
  if (name.includes('.q_proj.')) return config.num_attention_heads;
  return name.includes('.k_proj.') ? config.num_key_value_heads : undefined;
};

/** Rows of each head: 0, 1, 2, 3, … as pairs -> 0, 2, 4, … then 1, 3, 5, …: [heads * D, C] (a bias: [heads * D]). */
function halvesFromPairs({ shape, data }: WeightTensor, heads: number): WeightTensor {
  const rows = shape[0] ?? 0;
  const half = rows / heads / 2;
  if (!Number.isInteger(half)) throw new ModelFormatError(`gguf: ${rows} rows are no ${heads} heads of even size`);
  const width = data.length / rows;
  const result = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const inHead = row % (2 * half);
    const from = row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
    result.set(data.subarray(from * width, (from + 1) * width), row * width);
  }
  return { dtype: 'f32', shape, data: result };
}
