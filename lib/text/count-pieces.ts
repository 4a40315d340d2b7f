// The first half of training a BPE vocabulary: how often each distinct piece occurs. Counts are exact up to 2^53.
// Memory is bounded: when the distinct pieces become too much, the longest go (they are hashes, addresses and encoded data, not words).
// What is left depends only on the set of pieces seen, so order, chunks and the number of counters make no difference.

import { createAddedTokens } from './added-tokens.ts';
import type { PreTokenizer } from './pre-tokenizers.ts';
import { createTextStream, isAfterWord, type TextStream } from './stream-encoder.ts';

/** Piece -> how often it occurs. Can be sent between threads. */
export type PieceCounts = Map<string, number>;

export interface PieceCounter {
  /** One whole document. */
  add(document: string): void;
  /** One document that comes in chunks. */
  stream(): TextStream<void>;
  /** What another counter found. */
  addCounts(counts: PieceCounts): void;
  counts(): PieceCounts;
}

export interface PieceCounterOptions {
  readonly preTokenizer: PreTokenizer;
  /** Written in the text they are separators, and nothing is learned from them. */
  readonly specialTokens?: readonly string[];
  /** Most characters (UTF-16 units) in distinct pieces. Default 16,000,000: about two million words, 0.5 GB with what training needs. */
  readonly maxChars?: number;
}

export const createPieceCounter = ({
  preTokenizer,
  specialTokens = [],
  maxChars = 16_000_000,
}: PieceCounterOptions): PieceCounter => {
  const counts: PieceCounts = new Map();
  /** Length -> characters in all distinct pieces of that length. */
  const charsOfLength = new Map<number, number>();
  let chars = 0;
  let longestKept = Number.POSITIVE_INFINITY;
  const specials = specialTokens.map((content, id) => ({ id, content, special: true }));
  const { split, mayReachOver } = createAddedTokens(specials)('parse');

  const forgetLongest = (): void => {
    for (const length of [...charsOfLength.keys()].sort((a, b) => b - a)) {
      if (chars <= maxChars) break;
      chars -= charsOfLength.get(length) as number;
      charsOfLength.delete(length);
      longestKept = length - 1;
    }
    for (const piece of counts.keys()) if (piece.length > longestKept) counts.delete(piece);
  };
  const addPiece = (piece: string, count: number): void => {
    const { length } = piece;
    if (length > longestKept) return;
    const before = counts.get(piece);
    if (before !== undefined) {
      counts.set(piece, before + count);
      return;
    }
    counts.set(` ${piece}`.slice(1), count); // a copy: a slice would keep the whole text alive
    charsOfLength.set(length, (charsOfLength.get(length) ?? 0) + length);
    chars += length;
    if (chars > maxChars) forgetLongest();
  };
  const addText = (text: string): void => preTokenizer.split(text, (piece) => addPiece(piece, 1));
  const add = (text: string): void => split(text, 0, addText, () => undefined);

  return {
    add,
    stream: () =>
      createTextStream({
        take: add,
        mayCutAt: (text, position) =>
          preTokenizer.cutsAfterWords && isAfterWord(text, position) && !mayReachOver(text, position),
      }),
    addCounts: (more) => {
      for (const [piece, count] of more) addPiece(piece, count);
    },
    counts: () => counts,
  };
};
