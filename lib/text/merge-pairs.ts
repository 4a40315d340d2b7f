// Byte-pair merging of one piece: as long as any neighbours can merge, those of the lowest rank do, leftmost first.
// Short pieces (nearly all) scan for the lowest rank; long ones keep a heap, so that a megabyte without a space stays O(n log n).

import { createHeap } from './heap.ts';
import type { MergeTable } from './merge-table.ts';

const NONE = -1;
const NEVER = 0x7fffffff;
const longestScan = 48;

/** Merges `symbols[0 … count)` in place; returns how many are left. */
export type MergePairs = (symbols: Int32Array, count: number) => number;

export const createMergePairs = (table: MergeTable): MergePairs => {
  const byScan = createScan(table);
  return (symbols, count) => (count <= longestScan ? byScan(symbols, count) : mergeByHeap(table, symbols, count));
};

const createScan = (table: MergeTable): MergePairs => {
  const ranks = new Int32Array(longestScan);
  const rankOf = (left: number, right: number): number => {
    const place = table.find(left, right);
    return place < 0 ? NEVER : table.rankAt(place);
  };
  return (symbols, count) => {
    let length = count;
    for (let i = 0; i + 1 < length; i++) ranks[i] = rankOf(symbols[i] as number, symbols[i + 1] as number);
    for (;;) {
      let best = NEVER;
      let at = 0;
      for (let i = 0; i + 1 < length; i++) {
        if ((ranks[i] as number) < best) {
          best = ranks[i] as number;
          at = i;
        }
      }
      if (best === NEVER) return length;
      symbols[at] = table.resultAt(table.find(symbols[at] as number, symbols[at + 1] as number));
      length--;
      for (let i = at + 1; i < length; i++) {
        symbols[i] = symbols[i + 1] as number;
        ranks[i] = ranks[i + 1] as number;
      }
      if (at > 0) ranks[at - 1] = rankOf(symbols[at - 1] as number, symbols[at] as number);
      if (at + 1 < length) ranks[at] = rankOf(symbols[at] as number, symbols[at + 1] as number);
    }
  };
};

/** Entries of the heap are rank * POSITIONS + position: exact in a double for 2^22 ranks and 2^31 positions. */
const POSITIONS = 2 ** 31;

const mergeByHeap = (table: MergeTable, symbols: Int32Array, count: number): number => {
  const next = Int32Array.from({ length: count }, (_, i) => (i + 1 < count ? i + 1 : NONE));
  const previous = Int32Array.from({ length: count }, (_, i) => i - 1);
  // The rank that the pair beginning here has now; an entry of the heap with another one is out of date.
  const ranks = new Int32Array(count).fill(NEVER);
  const heap = createHeap<number>((a, b) => a < b);

  const offer = (at: number): void => {
    const right = next[at] as number;
    const place = right === NONE ? -1 : table.find(symbols[at] as number, symbols[right] as number);
    ranks[at] = place < 0 ? NEVER : table.rankAt(place);
    if (place >= 0) heap.push((ranks[at] as number) * POSITIONS + at);
  };
  const mergeAt = (at: number): void => {
    const right = next[at] as number;
    const after = next[right] as number;
    symbols[at] = table.resultAt(table.find(symbols[at] as number, symbols[right] as number));
    next[at] = after;
    ranks[right] = NEVER;
    if (after !== NONE) previous[after] = at;
    if ((previous[at] as number) !== NONE) offer(previous[at] as number);
    offer(at);
  };

  for (let i = 0; i + 1 < count; i++) offer(i);
  while (heap.size() > 0) {
    const entry = heap.pop();
    const at = entry % POSITIONS;
    if (ranks[at] === (entry - at) / POSITIONS) mergeAt(at);
  }
  let length = 0;
  for (let i = 0; i !== NONE; i = next[i] as number) symbols[length++] = symbols[i] as number;
  return length;
};
