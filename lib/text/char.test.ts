import { expect, test } from '@jest/globals';
import { loadTokenizer } from './load-tokenizer.ts';
import { randomChunks, randomText } from './random-text.fixture.ts';
import type { Tokenizer } from './tokenizer.ts';
import { createCharTrainer } from './train-char.ts';

const numbers = (ids: Int32Array): number[] => Array.from(ids);
const train = (text: string, options = {}): Tokenizer => {
  const trainer = createCharTrainer(options);
  trainer.add(text);
  return trainer.finish();
};

test('ids are the characters in order of their code points, special tokens after them', () => {
  const tokenizer = train('hello 🦊', { specialTokens: ['<|endoftext|>'] });
  expect(tokenizer.vocabSize).toBe(7);
  expect(numbers(tokenizer.encode(' ehlo🦊'))).toEqual([0, 1, 2, 3, 4, 5]);
  expect(tokenizer.specialTokens).toEqual(new Map([['<|endoftext|>', 6]]));
  expect(tokenizer.eosId).toBe(6);
});

test('decode(encode(x)) is x, and ids do not depend on how a text comes in chunks', () => {
  const texts = Array.from({ length: 200 }, (_, seed) => randomText(seed, 40));
  const tokenizer = train(texts.join(''), { specialTokens: ['<|endoftext|>', '<|im_start|>'] });
  for (const [seed, text] of texts.entries()) {
    for (const specials of ['text', 'parse'] as const) {
      const ids = tokenizer.encode(text, { specials });
      expect(tokenizer.decode(ids)).toBe(text);
      const encoder = tokenizer.createEncoder({ specials });
      const parts = randomChunks(seed, text).map((chunk) => encoder.push(chunk));
      expect([...parts, encoder.end()].flatMap(numbers)).toEqual(numbers(ids));
    }
  }
});

test('an unknown character is an error that names it and its place, also in a stream', () => {
  const tokenizer = train('abc');
  expect(() => tokenizer.encode('ab€')).toThrow('character "€" (U+20AC) at position 2 is not in the vocabulary');
  const encoder = tokenizer.createEncoder();
  encoder.push('abab');
  expect(() => [encoder.push('b€a'), encoder.end()]).toThrow('at position 5');
});

test('with an unknown token, unknown characters become it', () => {
  const tokenizer = train('abc', { unknownToken: '<unk>' });
  expect(numbers(tokenizer.encode('a€b'))).toEqual([0, 3, 1]);
  expect(tokenizer.decode([0, 3, 1])).toBe('a<unk>b');
});

test('tokenizer.json gives the same tokenizer back', () => {
  for (const options of [{}, { specialTokens: ['<|endoftext|>'], unknownToken: '<unk>' }]) {
    const tokenizer = train('To be, or not to be\n0123', options);
    const loaded = loadTokenizer(JSON.parse(JSON.stringify(tokenizer.toJSON())), tokenizer.toConfig());
    expect(loaded.kind).toBe('char');
    expect(numbers(loaded.encode('not 1'))).toEqual(numbers(tokenizer.encode('not 1')));
    expect(loaded.toJSON()).toEqual(tokenizer.toJSON());
    expect(loaded.eosId).toBe(tokenizer.eosId);
  }
});

test('characters as WordLevel behind a split into single characters are read too', () => {
  const json = {
    version: '1.0',
    added_tokens: [],
    pre_tokenizer: { type: 'Split', pattern: { Regex: '' }, behavior: 'Isolated', invert: false },
    model: { type: 'WordLevel', vocab: { a: 0, b: 1, '[UNK]': 2 }, unk_token: '[UNK]' },
  };
  expect(numbers(loadTokenizer(json).encode('abc'))).toEqual([0, 1, 2]);
});
