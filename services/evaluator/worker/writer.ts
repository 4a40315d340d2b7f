// Writes texts with the model under evaluation, through the same decode graph that serves it.
import { Decoder } from '#lib/decode/decoder.ts';
import { generateText } from '#lib/decode/generate-text.ts';
import type { Subject } from '../subject.ts';

export interface WriteOptions {
  maxTokens: number;
  temperature: number;
  topK?: number;
  seed?: number;
  signal: AbortSignal;
}

export interface Writer extends Disposable {
  /** Goes on with `prompt` until an end token, `maxTokens`, or the end of the context. A prompt that leaves no room gives ''. */
  write(prompt: Int32Array, options: WriteOptions): Promise<string>;
}

export function createWriter({ config, weights, tokenizer }: Subject): Writer {
  const decoder = new Decoder({ config, weights: { tensors: weights } });
  const ends = [tokenizer.eosId, tokenizer.specialTokens.get('<|im_end|>')];
  const endIds = new Set(ends.filter((id) => id !== undefined));
  return {
    async write(prompt, { maxTokens, signal, seed = 0, ...sampling }) {
      if (prompt.length >= config.contextSize) return '';
      using sequence = decoder.createSequence();
      let text = '';
      const decode = tokenizer.createDecoder({ skipSpecialTokens: true });
      const options = { prompt, maxTokens, endIds, signal, sampling: { ...sampling, seed }, decoder: decode };
      for await (const piece of generateText(sequence, options)) text += piece.text;
      return text;
    },
    [Symbol.dispose]: () => decoder[Symbol.dispose](),
  };
}
