import { expect, test } from '@jest/globals';
import { readerOfBytes } from './byte-source.ts';
import { type GgufParts, ggufFile } from './gguf.fixture.ts';
import { readLlamaGguf, toLlamaName } from './llama-gguf.ts';

const metadata: NonNullable<GgufParts['metadata']> = [
  ['general.architecture', 'llama'],
  ['llama.embedding_length', 8],
  ['llama.feed_forward_length', 16],
  ['llama.block_count', 1],
  ['llama.context_length', 32],
  ['llama.attention.head_count', 2],
  ['llama.attention.layer_norm_rms_epsilon', Buffer.from('06000000acc52737', 'hex')], // f32 1e-5
];
const embedding = { name: 'token_embd.weight', shape: [3, 8], offset: 0 };
const file = (more: Partial<GgufParts> = {}) =>
  readerOfBytes(ggufFile({ metadata, tensors: [embedding], data: Buffer.alloc(96), ...more }));

test('the configuration comes from the metadata and the shapes, with the defaults of the format', async () => {
  const { config } = await readLlamaGguf(file());
  expect(config).toMatchObject({ num_key_value_heads: 2, head_dim: 4, rope_theta: 10_000, vocab_size: 3 });
  expect(config.rms_norm_eps).toBe(1e-5);
  expect([config.tie_word_embeddings, config.attention_bias]).toEqual([true, false]);
});

test('progress is told in bytes and ends at the whole', async () => {
  const seen: [number, number][] = [];
  await readLlamaGguf(file(), { onProgress: (done, total) => seen.push([done, total]) });
  expect(seen).toEqual([[96, 96]]);
});

test.each<[what: string, more: Partial<GgufParts>, message: RegExp]>([
  [
    'another architecture',
    { metadata: [['general.architecture', 'mamba']] },
    /architecture is "mamba"; "llama" is read/,
  ],
  ['no architecture', { metadata: [] }, /architecture is undefined/],
  ['scaled positions', { metadata: [...metadata, ['llama.rope.scaling.type', 'yarn']] }, /rotary frequencies/],
  ['experts', { metadata: [...metadata, ['llama.expert_count', 8]] }, /mixture of experts/],
  ['a missing number', { metadata: metadata.slice(0, 4) }, /"llama.context_length" is missing|head_count" is missing/],
  [
    'a number that is a text',
    { metadata: [...metadata.slice(0, 3), ['llama.block_count', 'many']] },
    /is no number|missing/,
  ],
  ['no embedding', { tensors: [{ ...embedding, name: 'output_norm.weight' }] }, /no tensor "token_embd.weight"/],
  [
    'a tensor of another model',
    { tensors: [embedding, { name: 'blk.0.ssm_a', shape: [0], offset: 96 }] },
    /no tensor "blk.0.ssm_a"/,
  ],
  [
    'heads of odd size',
    { tensors: [embedding, { name: 'blk.0.attn_q.weight', shape: [6, 0], offset: 96 }] },
    /6 rows are no 2 heads/,
  ],
])('a file with %s is refused with the reason', async (_, more, message) => {
  await expect(readLlamaGguf(file(more))).rejects.toThrow(message);
});

test('names follow Hugging Face', () => {
  expect(toLlamaName('blk.12.ffn_down.weight')).toBe('model.layers.12.mlp.down_proj.weight');
  expect(() => toLlamaName('blk.x.ffn_down.weight')).toThrow('no tensor "blk.x.ffn_down.weight"');
});
