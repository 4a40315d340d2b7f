// A byte-level BPE vocabulary as data: what gpt2.ts, gguf-tokenizer.ts, tokenizer-json.ts and train-bpe.ts make, and byte-bpe.ts runs.

import type { AddedToken } from './added-tokens.ts';
import type { PreTokenizer } from './pre-tokenizers.ts';
import { TokenizerFormatError } from './tokenizer.ts';
import type { SpecialRoles } from './tokenizer-config.ts';

export interface BpeVocabulary {
  /** id -> token in the byte alphabet (byte-alphabet.ts); undefined where an id is free. Added tokens may stand here too. */
  readonly tokens: readonly (string | undefined)[];
  /** left id, right id, left id, right id, … in order of rank. */
  readonly merges: Int32Array;
  readonly addedTokens: readonly AddedToken[];
  readonly preTokenizer: PreTokenizer;
  /** Text is brought to NFC before it is cut into pieces (decode then gives back the normalised text). Default false. */
  readonly nfc?: boolean;
  /** What a byte becomes that the vocabulary lacks (some lack those that hardly occur); undefined: it is left out, as Hugging Face's does. */
  readonly unknownId?: number | undefined;
  readonly roles: SpecialRoles;
}

export const idsOfTokens = (tokens: readonly (string | undefined)[]): Map<string, number> => {
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) if (token !== undefined) ids.set(token, id);
  return ids;
};

/** Merges as text ("Ġ t" or ["Ġ", "t"]) -> pairs of ids. */
export const parseMerges = (
  merges: ArrayLike<string | readonly [string, string]>,
  ids: ReadonlyMap<string, number>,
): Int32Array => {
  const pairs = new Int32Array(merges.length * 2);
  const idOf = (token: string | undefined, rank: number): number => {
    const id = token === undefined ? undefined : ids.get(token);
    if (id !== undefined) return id;
    throw new TokenizerFormatError(
      `merges[${rank}] is ${JSON.stringify(merges[rank])}: ${JSON.stringify(token)} is not in the vocabulary`,
    );
  };
  for (let rank = 0; rank < merges.length; rank++) {
    const merge = merges[rank] as string | readonly [string, string];
    const [left, right] = typeof merge === 'string' ? merge.split(' ') : merge;
    pairs[2 * rank] = idOf(left, rank);
    pairs[2 * rank + 1] = idOf(right, rank);
  }
  return pairs;
};
