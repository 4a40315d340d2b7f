// GPT-2's vocabulary: 50,257 ids. From the ranks in the npm package js-tiktoken, so that it needs no network, or from OpenAI's
// two files (encoder.json, vocab.bpe).

import ranksFile from 'js-tiktoken/ranks/gpt2';
import { type BpeVocabulary, parseMerges } from './bpe-vocabulary.ts';
import { tokenOfBytes } from './byte-alphabet.ts';
import { createByteBpe } from './byte-bpe.ts';
import { mergesOfRanks } from './merges-of-ranks.ts';
import { gpt2PreTokenizer } from './pre-tokenizers.ts';
import { type Tokenizer, TokenizerFormatError } from './tokenizer.ts';

const endOfText = '<|endoftext|>';

/** About 0.2 s: the merges are found anew from the ranks. Keep the result. */
export const createGpt2Tokenizer = (): Tokenizer => {
  const tokens = tokensOfRanks(ranksFile.bpe_ranks);
  return createByteBpe(gpt2Vocabulary(tokens, mergesOfRanks(tokens), ranksFile.special_tokens[endOfText] as number));
};

export interface Gpt2Files {
  /** The object of encoder.json (or vocab.json): token -> id. */
  readonly encoder: Readonly<Record<string, number>>;
  /** The text of vocab.bpe (or merges.txt): a merge a line, in order of rank. */
  readonly merges: string;
}

export const createGpt2TokenizerFromFiles = ({ encoder, merges }: Gpt2Files): Tokenizer => {
  const endId = encoder[endOfText];
  if (endId === undefined) throw new TokenizerFormatError(`encoder.json has no ${endOfText}`);
  const ids = new Map(Object.entries(encoder));
  const lines = merges.split('\n').filter((line) => line !== '' && !line.startsWith('#version'));
  const tokens: string[] = [];
  for (const [token, id] of ids) tokens[id] = token;
  return createByteBpe(gpt2Vocabulary(tokens, parseMerges(lines, ids), endId));
};

const gpt2Vocabulary = (tokens: readonly string[], merges: Int32Array, endId: number): BpeVocabulary => ({
  tokens,
  merges,
  addedTokens: [{ id: endId, content: endOfText, special: true }],
  preTokenizer: gpt2PreTokenizer,
  roles: { bosToken: endOfText, eosToken: endOfText },
});

/** js-tiktoken's form: lines of "! <first rank> <base64> <base64> …". */
const tokensOfRanks = (bpeRanks: string): string[] => {
  const tokens: string[] = [];
  for (const line of bpeRanks.split('\n')) {
    const [, first, ...encoded] = line.split(' ');
    for (const [i, base64] of encoded.entries())
      tokens[Number(first) + i] = tokenOfBytes(Buffer.from(base64, 'base64'));
  }
  return tokens;
};
