// The merges of a byte-pair vocabulary: (left id, right id) -> rank and id of the result. An open-addressing hash table in one
// Int32Array, because this lookup is the innermost step of encoding.

const EMPTY = -1;
const LEFT = 0;
const RIGHT = 1;
const RANK = 2;
const RESULT = 3;

export interface MergeTable {
  /** Place of the pair in the table, or -1. */
  find(left: number, right: number): number;
  rankAt(place: number): number;
  resultAt(place: number): number;
  /** A pair that is already there gets the new rank and result. */
  set(left: number, right: number, rank: number, result: number): void;
}

/** A table for up to `capacity` merges; at most half full, so that probes stay short. */
export const createMergeTable = (capacity: number): MergeTable => {
  const bits = Math.max(4, Math.ceil(Math.log2(capacity * 2 + 1)));
  const mask = 2 ** bits - 1;
  const cells = new Int32Array(4 * 2 ** bits).fill(EMPTY);
  const { imul } = Math;

  const slotOf = (left: number, right: number): number => {
    const mixed = imul(left, 0x9e3779b1) ^ imul(right, 0x85ebca6b);
    let slot = (mixed ^ (mixed >>> 15)) & mask;
    for (;;) {
      const place = slot << 2;
      const found = cells[place + LEFT];
      if (found === EMPTY || (found === left && cells[place + RIGHT] === right)) return place;
      slot = (slot + 1) & mask;
    }
  };

  return {
    find: (left, right) => {
      const place = slotOf(left, right);
      return cells[place] === EMPTY ? -1 : place;
    },
    rankAt: (place) => cells[place + RANK] as number,
    resultAt: (place) => cells[place + RESULT] as number,
    set: (left, right, rank, result) => {
      const place = slotOf(left, right);
      cells[place + LEFT] = left;
      cells[place + RIGHT] = right;
      cells[place + RANK] = rank;
      cells[place + RESULT] = result;
    },
  };
};
