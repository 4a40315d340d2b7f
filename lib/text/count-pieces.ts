// The first half of training a BPE vocabulary: how often each distinct piece occurs. Counts are exact up to 2^53.
// Memory is bounded: when there are too many distinct pieces, the longest go (they are numbers, hashes and addresses, seldom words).
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
  /** Most distinct pieces kept. Default 2,000,000, about 200 MB. */
  readonly maxPieces?: number;
}

/** Longer pieces (in UTF-16 units) teach nothing about language. */
const longestPiece = 256;

export const createPieceCounter = ({
  preTokenizer,
  specialTokens = [],
  maxPieces = 2_000_000,
}: PieceCounterOptions): PieceCounter => {
  const counts: PieceCounts = new Map();
  const distinctByLength = new Float64Array(longestPiece + 1);
  let longestKept = longestPiece;
  const specials = specialTokens.map((content, id) => ({ id, content, special: true }));
  const { split, mayReachOver } = createAddedTokens(specials)('parse');

  const forgetLongest = (): void => {
    let kept = 0;
    let longest = 0;
    while (longest < longestKept && kept + (distinctByLength[longest + 1] as number) <= maxPieces) {
      kept += distinctByLength[++longest] as number;
    }
    longestKept = longest;
    for (const piece of counts.keys()) if (piece.length > longest) counts.delete(piece);
  };
  const addPiece = (piece: string, count: number): void => {
    if (piece.length > longestKept) return;
    const before = counts.get(piece);
    if (before !== undefined) {
      counts.set(piece, before + count);
      return;
    }
    counts.set(` ${piece}`.slice(1), count); // a copy: a slice would keep the whole text alive
    distinctByLength[piece.length] = (distinctByLength[piece.length] as number) + 1;
    if (counts.size > maxPieces) forgetLongest();
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
