// What pieces became: most words of a text were seen before. Bounded by two generations: when the young one is full it becomes
// the old one, and what is still used moves over; nothing is counted and nothing is linked.

export type EncodedPiece = number | Int32Array;

export interface PieceCache {
  get(piece: string): EncodedPiece | undefined;
  set(piece: string, ids: EncodedPiece): void;
}

/** Longer pieces are rare and seldom come again. */
const longestPiece = 64;

export const createPieceCache = (generationSize: number): PieceCache => {
  let young = new Map<string, EncodedPiece>();
  let old = new Map<string, EncodedPiece>();
  const insert = (piece: string, ids: EncodedPiece): void => {
    if (young.size >= generationSize) {
      old = young;
      young = new Map();
    }
    young.set(piece, ids);
  };
  return {
    get: (piece) => {
      const found = young.get(piece);
      if (found !== undefined) return found;
      const older = old.get(piece);
      if (older !== undefined) insert(piece, older);
      return older;
    },
    set: (piece, ids) => {
      if (piece.length <= longestPiece) insert(detach(piece), ids);
    },
  };
};

/** A slice of a long text keeps the whole text alive; this copy does not. */
const detach = (piece: string): string => ` ${piece}`.slice(1);
