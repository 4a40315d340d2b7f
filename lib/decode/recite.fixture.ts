// A GPT that recites: whatever it has read, the token after place i is the text's token i + 1. Its attention and feed-forward parts
// add nothing; each place has a direction of its own, which the output matrix reads.
import { gptConfig } from '#lib/model/config.ts';
import { initWeights } from '#lib/model/params.ts';
import { Decoder } from './decoder.ts';

/** Tokens are bytes; this one ends the text. */
export const endId = 256;

/** `text` has fewer bytes than the context's 64 places; after it come end tokens. */
export function createReciter(text: string): Decoder {
  const shape = { vocabSize: 257, contextSize: 64, nLayer: 1, nHead: 1, nEmbd: 64 };
  const config = { ...gptConfig(shape, { bias: false }), tied: false };
  const weights = initWeights(config, 0);
  const data = (name: string) => weights.get(name)?.data ?? new Float32Array();
  for (const name of [
    'wte.weight',
    'wpe.weight',
    'lm_head.weight',
    'h.0.attn.c_proj.weight',
    'h.0.mlp.c_proj.weight',
  ]) {
    data(name).fill(0);
  }
  const bytes = Buffer.from(text);
  for (let place = 0; place < 64; place++) {
    data('wpe.weight')[place * 64 + place] = 1;
    data('lm_head.weight')[(bytes[place + 1] ?? endId) * 64 + place] = 1;
  }
  return new Decoder({ config, weights: { tensors: weights }, threads: 1 });
}

/** The first byte of the text, which a reciter is prompted with. */
export const firstByte = (text: string): Int32Array => Int32Array.from(Buffer.from(text).subarray(0, 1));

/** Bytes -> text, as a byte-level tokenizer does it. */
export function createByteDecoder() {
  const decoder = new TextDecoder();
  return {
    push: (ids: ArrayLike<number>) => decoder.decode(Uint8Array.from(ids), { stream: true }),
    end: () => decoder.decode(),
  };
}
