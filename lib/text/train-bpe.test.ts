import { expect, test } from '@jest/globals';
import { bytesInOrder } from './byte-alphabet.ts';
import { createPieceCounter, type PieceCounts } from './count-pieces.ts';
import { learnMerges } from './learn-merges.ts';
import { gpt2PreTokenizer } from './pre-tokenizers.ts';
import { createRandom, randomChunks, randomText } from './random-text.fixture.ts';
import { trainBpe } from './train-bpe.ts';

const documents = Array.from({ length: 200 }, (_, seed) => randomText(seed, 60));
const countOf = (texts: readonly string[], maxChars?: number): PieceCounts => {
  const counter = createPieceCounter({ preTokenizer: gpt2PreTokenizer, ...(maxChars && { maxChars }) });
  for (const text of texts) counter.add(text);
  return counter.counts();
};
const sorted = (counts: PieceCounts) => [...counts].sort(([a], [b]) => (a < b ? -1 : 1));

/** The definition: count all pairs anew for every merge; ties go to the smaller left id, then the smaller right id. */
const learnSlowly = (counts: PieceCounts, tokens: number): number[] => {
  const words = Array.from(counts, ([piece, count]) => ({
    symbols: Array.from(Buffer.from(piece), (byte) => bytesInOrder.indexOf(byte)),
    count,
  }));
  const merges: number[] = [];
  for (let id = 256; id < tokens; id++) {
    const pairs = new Map<number, number>();
    for (const { symbols, count } of words) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        const key = (symbols[i] as number) * 65536 + (symbols[i + 1] as number);
        pairs.set(key, (pairs.get(key) ?? 0) + count);
      }
    }
    const [best] = [...pairs].sort(([keyA, a], [keyB, b]) => b - a || keyA - keyB);
    if (!best || best[1] < 2) break;
    const [left, right] = [Math.floor(best[0] / 65536), best[0] % 65536];
    merges.push(left, right);
    for (const { symbols } of words) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        if (symbols[i] === left && symbols[i + 1] === right) symbols.splice(i, 2, id);
      }
    }
  }
  return merges;
};

test('the merges are those of the definition', () => {
  const counts = countOf(documents);
  expect(Array.from(learnMerges(counts, { maxTokens: 400 }).merges)).toEqual(learnSlowly(counts, 400));
});

test('the vocabulary does not depend on the order, the chunks or the number of counters', () => {
  const expected = JSON.stringify(trainBpe(countOf(documents), { vocabSize: 500 }).toJSON());

  const reversed = countOf(documents.toReversed());
  expect(JSON.stringify(trainBpe(reversed, { vocabSize: 500 }).toJSON())).toBe(expected);

  const chunked = createPieceCounter({ preTokenizer: gpt2PreTokenizer });
  for (const [seed, text] of documents.entries()) {
    const stream = chunked.stream();
    for (const chunk of randomChunks(seed, text)) stream.push(chunk);
    stream.end();
  }
  expect(JSON.stringify(trainBpe(chunked.counts(), { vocabSize: 500 }).toJSON())).toBe(expected);

  const workers = [0, 1, 2].map((worker) => countOf(documents.filter((_, i) => i % 3 === worker)));
  const together = createPieceCounter({ preTokenizer: gpt2PreTokenizer });
  for (const counts of workers) together.addCounts(counts);
  expect(JSON.stringify(trainBpe(together.counts(), { vocabSize: 500 }).toJSON())).toBe(expected);
});

test('memory is bounded by forgetting the longest pieces, the same ones whatever the order and the number of counters', () => {
  const limit = 1000;
  const once = countOf(documents, limit);
  const chars = [...once.keys()].join('').length;
  expect(chars).toBeLessThanOrEqual(limit);
  expect(chars).toBeGreaterThan(limit / 4);
  const all = countOf(documents);
  for (const [piece, count] of once) expect(count).toBe(all.get(piece));
  const random = createRandom(1);
  const shuffled = documents.map((text) => ({ text, at: random() })).sort((a, b) => a.at - b.at);
  expect(
    sorted(
      countOf(
        shuffled.map(({ text }) => text),
        limit,
      ),
    ),
  ).toEqual(sorted(once));
  const halves = [documents.slice(0, 70), documents.slice(70)].map((half) => countOf(half, limit));
  const together = createPieceCounter({ preTokenizer: gpt2PreTokenizer, maxChars: limit });
  for (const counts of halves) together.addCounts(counts);
  expect(sorted(together.counts())).toEqual(sorted(once));
});

test('counts beyond 32 bits are exact', () => {
  const counts = new Map([
    ['ab', 2 ** 40 + 1],
    ['cd', 2 ** 40],
    ['xcd', 1],
  ]);
  const [a, b, c, d] = Array.from('abcd', (char) => bytesInOrder.indexOf(char.charCodeAt(0)));
  // (c, d) occurs 2^40 + 1 times too: the tie goes to the smaller ids.
  expect(Array.from(learnMerges(counts, { maxTokens: 258 }).merges)).toEqual([a, b, c, d]);
  expect(Array.from(learnMerges(new Map([...counts, ['cd!', 1]]), { maxTokens: 258 }).merges)).toEqual([c, d, a, b]);
});

test('nothing is learned from special tokens in the text', () => {
  const counter = createPieceCounter({ preTokenizer: gpt2PreTokenizer, specialTokens: ['<|endoftext|>'] });
  counter.add('one<|endoftext|>two');
  expect([...counter.counts().keys()]).toEqual(['one', 'two']);
});

test('bytes, merges and special tokens fill the vocabulary; short text gives a smaller one', () => {
  const tokenizer = trainBpe(countOf(documents), { vocabSize: 500 });
  expect(tokenizer.vocabSize).toBe(500);
  expect(tokenizer.specialTokens).toEqual(
    new Map([
      ['<|endoftext|>', 497],
      ['<|im_start|>', 498],
      ['<|im_end|>', 499],
    ]),
  );
  expect(tokenizer.eosId).toBe(497);
  expect(trainBpe(countOf(['abab']), { vocabSize: 500, specialTokens: [] }).vocabSize).toBe(257);
});

test('a vocabulary too small for the bytes is refused with the smallest that would do', () => {
  expect(() => trainBpe(new Map(), { vocabSize: 258 })).toThrow('at least 259 ids are needed');
});

test('progress is told up to the end, and what it throws ends the training', () => {
  const seen: [number, number][] = [];
  trainBpe(countOf(documents), { vocabSize: 400, specialTokens: [], onProgress: (...at) => seen.push(at) });
  expect(seen.at(-1)).toEqual([400, 400]);
  const cancel = () => {
    throw new Error('cancelled');
  };
  expect(() => trainBpe(countOf(documents), { vocabSize: 400, onProgress: cancel })).toThrow('cancelled');
});
