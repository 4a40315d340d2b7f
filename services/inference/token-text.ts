// Tokens as text and as bytes. A model may have more ids than its tokenizer has tokens (rows that round a matrix up): such an id is no text.
import type { TextDecoder } from '#lib/decode/generate-text.ts';
import type { ScoredToken, TokenLogprob } from '#lib/decode/logprobs.ts';
import type { Tokenizer } from '#lib/text/tokenizer.ts';

/** A token with its own bytes, which may be part of a character. */
interface TokenWithBytes extends TokenLogprob {
  token: Uint8Array;
}
export interface ScoredWithBytes extends TokenWithBytes {
  alternatives: TokenWithBytes[];
}

export function createTextDecoder(tokenizer: Tokenizer): TextDecoder {
  const decoder = tokenizer.createDecoder();
  return {
    push: (ids) => decoder.push(Array.from(ids).filter((id) => id < tokenizer.vocabSize)),
    end: () => decoder.end(),
  };
}

export function addBytes({ alternatives, ...token }: ScoredToken, tokenizer: Tokenizer): ScoredWithBytes {
  const add = (one: TokenLogprob): TokenWithBytes => ({ ...one, token: bytesOf(one.id, tokenizer) });
  return { ...add(token), alternatives: alternatives.map(add) };
}

const bytesOf = (id: number, tokenizer: Tokenizer): Uint8Array =>
  id < tokenizer.vocabSize ? tokenizer.decodeBytes([id]) : new Uint8Array(0);
