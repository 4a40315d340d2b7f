// The second half of training a BPE vocabulary (Sennrich et al. 2016): again and again the most frequent pair of neighbours becomes
// a token. Counts of pairs are kept up to date in place of being counted anew, and a heap knows the most frequent.
// Ties go to the pair with the smaller left id, then the smaller right id: the order of the input never decides.

import { bytesInOrder, charOfByte } from './byte-alphabet.ts';
import type { PieceCounts } from './count-pieces.ts';
import { createHeap } from './heap.ts';

export interface LearnOptions {
  /** How many tokens at most, the 256 bytes included; fewer where no more pairs come often enough. */
  readonly maxTokens: number;
  /** Pairs that occur less often are not merged. Default 2. */
  readonly minCount?: number | undefined;
  /** Called now and then with the number of tokens; what it throws ends the training. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface LearnedMerges {
  /** id -> token in the byte alphabet: the 256 bytes in GPT-2's order, then one for each merge that makes a new one. */
  readonly tokens: string[];
  /** left id, right id, left id, right id, … by rank. */
  readonly merges: Int32Array;
}

export const learnMerges = (counts: PieceCounts, options: LearnOptions): LearnedMerges => {
  const { maxTokens, minCount = 2, onProgress } = options;
  const words = createWords(counts);
  const pairs = createPairs(minCount);
  for (let word = 0; word < words.size; word++) words.addPairs(word, pairs);
  pairs.offerChanged();

  const merges: number[] = [];
  const tokens = bytesInOrder.map((byte) => charOfByte[byte] as string);
  const idOfToken = new Map<string, number>();
  while (tokens.length < maxTokens) {
    const best = pairs.takeMostFrequent();
    if (!best) break;
    const token = `${tokens[best.left]}${tokens[best.right]}`;
    // Runs of one character can be put together in two ways: both merges are kept, the token is one.
    const id = idOfToken.get(token) ?? tokens.length;
    if (id === tokens.length) {
      idOfToken.set(token, id);
      tokens.push(token);
    }
    merges.push(best.left, best.right);
    for (const word of best.words) words.merge(word, best, id, pairs);
    pairs.offerChanged();
    if (merges.length % 128 === 0) onProgress?.(tokens.length, maxTokens);
  }
  onProgress?.(tokens.length, maxTokens);
  return { tokens, merges: Int32Array.from(merges) };
};

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  /** Words it occurs in, or once did; in order of finding, hardly any twice. */
  words: number[];
  isChanged: boolean;
}

/** A pair as the heap knew it; out of date where the count has changed since. */
interface Offer {
  readonly pair: Pair;
  readonly count: number;
}

interface Pairs {
  add(left: number, right: number, count: number, word: number): void;
  remove(left: number, right: number, count: number): void;
  /** Puts the pairs that became more frequent into the heap. */
  offerChanged(): void;
  takeMostFrequent(): Pair | undefined;
}

const comesBefore = (a: Offer, b: Offer): boolean => {
  if (a.count !== b.count) return a.count > b.count;
  return a.pair.left !== b.pair.left ? a.pair.left < b.pair.left : a.pair.right < b.pair.right;
};

/** Ids are below 2^24, so a pair of them is an exact double. */
const keyOf = (left: number, right: number): number => left * 2 ** 24 + right;

const createPairs = (minCount: number): Pairs => {
  const pairs = new Map<number, Pair>();
  const heap = createHeap<Offer>(comesBefore);
  let changed: Pair[] = [];
  const offer = (pair: Pair): void => {
    if (pair.count >= minCount) heap.push({ pair, count: pair.count });
  };
  return {
    add: (left, right, count, word) => {
      const key = keyOf(left, right);
      let pair = pairs.get(key);
      if (!pair) {
        pair = { left, right, count: 0, words: [], isChanged: false };
        pairs.set(key, pair);
      }
      pair.count += count;
      if (pair.words.at(-1) !== word) pair.words.push(word);
      if (!pair.isChanged) {
        pair.isChanged = true;
        changed.push(pair);
      }
    },
    remove: (left, right, count) => {
      const pair = pairs.get(keyOf(left, right));
      if (pair) pair.count -= count;
    },
    offerChanged: () => {
      for (const pair of changed) {
        pair.isChanged = false;
        offer(pair);
      }
      changed = [];
    },
    takeMostFrequent: () => {
      while (heap.size() > 0) {
        const { pair, count } = heap.pop();
        if (pair.count === count) {
          pairs.delete(keyOf(pair.left, pair.right));
          return pair;
        }
        // It became rarer: back with its present count. Had it become more frequent, a newer offer would have come first.
        offer(pair);
      }
      return undefined;
    },
  };
};

interface Words {
  readonly size: number;
  addPairs(word: number, pairs: Pairs): void;
  /** Replaces the pair by `merged` wherever it stands in the word, and brings the counts of its neighbours up to date. */
  merge(word: number, pair: Pair, merged: number, pairs: Pairs): void;
}

const createWords = (counts: PieceCounts): Words => {
  const utf8 = new TextEncoder();
  const idOfByte = new Int32Array(256);
  for (const [id, byte] of bytesInOrder.entries()) idOfByte[byte] = id;
  const frequency = Float64Array.from(counts.values());
  const words = Array.from(counts.keys(), (piece) =>
    Array.from(utf8.encode(piece), (byte) => idOfByte[byte] as number),
  );
  return {
    size: words.length,
    addPairs: (word, pairs) => {
      const symbols = words[word] as number[];
      const count = frequency[word] as number;
      for (let i = 0; i + 1 < symbols.length; i++) {
        pairs.add(symbols[i] as number, symbols[i + 1] as number, count, word);
      }
    },
    merge: (word, { left, right }, merged, pairs) => {
      const symbols = words[word] as number[];
      const count = frequency[word] as number;
      let kept = 0;
      for (let i = 0; i < symbols.length; i++, kept++) {
        if (symbols[i] !== left || symbols[i + 1] !== right) {
          symbols[kept] = symbols[i] as number;
          continue;
        }
        symbols[kept] = merged;
        i++;
        if (kept > 0) {
          const before = symbols[kept - 1] as number;
          pairs.remove(before, left, count);
          pairs.add(before, merged, count, word);
        }
        if (i + 1 < symbols.length) {
          const after = symbols[i + 1] as number;
          pairs.remove(right, after, count);
          pairs.add(merged, after, count, word);
        }
      }
      symbols.length = kept;
    },
  };
};
