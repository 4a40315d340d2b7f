// tiktoken's files list tokens by rank and leave the merges out. Encoding a token with the merges before it ends with exactly
// two parts: those are its merge.

import { createMergePairs } from './merge-pairs.ts';
import { createMergeTable } from './merge-table.ts';
import { TokenizerFormatError } from './tokenizer.ts';

/** `tokens` in the byte alphabet, in order of rank, id = rank; the single bytes come first. Returns left, right, left, right, … */
export const mergesOfRanks = (tokens: readonly string[]): Int32Array => {
  const table = createMergeTable(tokens.length);
  const mergePairs = createMergePairs(table);
  const idOfChar = new Map(tokens.flatMap((token, id) => (token.length === 1 ? [[token, id] as const] : [])));
  const longest = tokens.reduce((length, token) => Math.max(length, token.length), 0);
  const symbols = new Int32Array(longest);
  const merges: number[] = [];
  for (const [id, token] of tokens.entries()) {
    if (token.length === 1) continue;
    for (let i = 0; i < token.length; i++) symbols[i] = idOfChar.get(token[i] as string) ?? -1;
    if (mergePairs(symbols, token.length) !== 2) {
      throw new TokenizerFormatError(`token ${id} (${JSON.stringify(token)}) is no merge of two tokens before it`);
    }
    const [left, right] = symbols as unknown as [number, number];
    table.set(left, right, merges.length / 2, id);
    merges.push(left, right);
  }
  return Int32Array.from(merges);
};
