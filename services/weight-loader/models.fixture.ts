// Small models as files: a Hugging Face directory that transformers has written, with a tokenizer of characters; a Llama GGUF file with
// a vocabulary of bytes.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ggufFile, rawValue } from '#lib/model/formats/gguf.fixture.ts';
import { charOfByte } from '#lib/text/byte-alphabet.ts';
import { writeTokenizerFiles } from '#lib/text/tokenizer-files.ts';
import { createCharTrainer } from '#lib/text/train-char.ts';

export type ModelFiles = Record<string, Buffer>;

const golden = join(__dirname, '../../tests/parity/golden/formats');

/** GPT-2: 2 layers, width 16, context 8, vocabulary 32. */
export async function gpt2Files(folder = 'gpt2'): Promise<ModelFiles> {
  const trainer = createCharTrainer({ specialTokens: ['<|endoftext|>'] });
  trainer.add('abcdefghijklmnop ');
  const tokenizer = Object.entries(writeTokenizerFiles(trainer.finish()));
  return {
    'config.json': await readFile(join(golden, folder, 'config.json')),
    'model.safetensors': await readFile(join(golden, folder, 'model.safetensors')),
    ...Object.fromEntries(tokenizer.map(([name, text]) => [name, Buffer.from(text)])),
  };
}

const { u32, u64, text } = rawValue;
const array = (type: number, items: Buffer[]) => Buffer.concat([u32(9), u32(type), u64(items.length), ...items]);

export const chatTemplate = '{% for m in messages %}{{ m.content }}{% endfor %}';

/** Llama: 1 layer, width 8, 2 heads of which 1 for keys and values, vocabulary of the 256 bytes and two special tokens. */
export function llamaGguf(): Buffer {
  const tokens = [...charOfByte, '<|im_start|>', '<|im_end|>'];
  const shapes: Record<string, number[]> = {
    'token_embd.weight': [tokens.length, 8],
    'blk.0.attn_norm.weight': [8],
    'blk.0.attn_q.weight': [8, 8],
    'blk.0.attn_k.weight': [4, 8],
    'blk.0.attn_v.weight': [4, 8],
    'blk.0.attn_output.weight': [8, 8],
    'blk.0.ffn_norm.weight': [8],
    'blk.0.ffn_gate.weight': [16, 8],
    'blk.0.ffn_up.weight': [16, 8],
    'blk.0.ffn_down.weight': [8, 16],
    'output_norm.weight': [8],
  };
  let offset = 0;
  const tensors = Object.entries(shapes).map(([name, shape]) => {
    const tensor = { name, shape, offset };
    offset += shape.reduce((size, side) => size * side, 4);
    return tensor;
  });
  const values = Float32Array.from({ length: offset / 4 }, (_, i) => Math.sin(i));
  return ggufFile({
    metadata: [
      ['general.architecture', 'llama'],
      ['llama.embedding_length', 8],
      ['llama.feed_forward_length', 16],
      ['llama.block_count', 1],
      ['llama.context_length', 32],
      ['llama.attention.head_count', 2],
      ['llama.attention.head_count_kv', 1],
      ['llama.attention.layer_norm_rms_epsilon', Buffer.from('06000000acc52737', 'hex')],
      ['tokenizer.ggml.model', 'gpt2'],
      ['tokenizer.ggml.pre', 'smollm'],
      ['tokenizer.ggml.tokens', array(8, tokens.map(text))],
      [
        'tokenizer.ggml.token_type',
        array(
          5,
          tokens.map((_, id) => u32(id < 256 ? 1 : 3)),
        ),
      ],
      ['tokenizer.ggml.merges', array(8, [])],
      ['tokenizer.ggml.bos_token_id', 256],
      ['tokenizer.ggml.eos_token_id', 257],
      ['tokenizer.chat_template', chatTemplate],
    ],
    tensors,
    data: Buffer.from(values.buffer),
  });
}
