import { expect, test } from '@jest/globals';
import { createMergePairs } from './merge-pairs.ts';
import { createMergeTable } from './merge-table.ts';
import { createRandom } from './random-text.fixture.ts';

const randomMerges = (random: () => number): [number, number][] => {
  const seen = new Set<string>();
  const merges: [number, number][] = [];
  while (merges.length < 60) {
    const ids = 4 + merges.length;
    const pair: [number, number] = [Math.floor(random() * ids), Math.floor(random() * ids)];
    if (seen.has(String(pair))) continue;
    seen.add(String(pair));
    merges.push(pair);
  }
  return merges;
};

/** The definition, word for word: the lowest rank among all neighbours, leftmost first, until none is left. */
const mergeSlowly = (symbols: number[], merges: [number, number][]): number[] => {
  const rankAt = (i: number): number => {
    const rank = merges.findIndex(([left, right]) => symbols[i] === left && symbols[i + 1] === right);
    return rank < 0 ? Number.POSITIVE_INFINITY : rank;
  };
  for (;;) {
    const ranks = symbols.slice(1).map((_, i) => rankAt(i));
    const best = Math.min(...ranks);
    if (!Number.isFinite(best)) return symbols;
    symbols.splice(ranks.indexOf(best), 2, 4 + best);
  }
};

test.each([
  ['short pieces', 40],
  ['long pieces', 300],
])('merging is by rank, leftmost first: %s', (_, longest) => {
  for (let seed = 0; seed < 60; seed++) {
    const random = createRandom(seed);
    const merges = randomMerges(random);
    const table = createMergeTable(merges.length);
    for (const [rank, [left, right]] of merges.entries()) table.set(left, right, rank, 4 + rank);
    const symbols = Array.from({ length: 1 + Math.floor(random() * longest) }, () => Math.floor(random() * 4));
    const merged = Int32Array.from(symbols);
    const length = createMergePairs(table)(merged, merged.length);
    expect(Array.from(merged.subarray(0, length))).toEqual(mergeSlowly(symbols, merges));
  }
});
