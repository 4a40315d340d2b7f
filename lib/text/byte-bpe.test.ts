import { expect, test } from '@jest/globals';
import { createPieceCounter } from './count-pieces.ts';
import { createGpt2Tokenizer } from './gpt2.ts';
import { smollmPreTokenizer } from './pre-tokenizers.ts';
import { createRandom, randomChunks, randomText } from './random-text.fixture.ts';
import { type SpecialMode, SpecialTokenError, type Tokenizer } from './tokenizer.ts';
import { trainBpe } from './train-bpe.ts';

const gpt2 = createGpt2Tokenizer();

const trained = (): Tokenizer => {
  const counter = createPieceCounter({ preTokenizer: smollmPreTokenizer });
  for (let seed = 0; seed < 300; seed++) counter.add(randomText(seed, 80));
  return trainBpe(counter.counts(), { vocabSize: 600, preTokenizer: smollmPreTokenizer });
};

const tokenizers = [
  { name: 'GPT-2', tokenizer: gpt2 },
  { name: 'a vocabulary trained here', tokenizer: trained() },
];
const modes: SpecialMode[] = ['text', 'parse', new Set(['<|endoftext|>']), new Set<string>()];
const numbers = (ids: Int32Array): number[] => Array.from(ids);

test.each(tokenizers)('decode(encode(x)) is x for any text and every special mode: $name', ({ tokenizer }) => {
  for (let seed = 0; seed < 500; seed++) {
    const text = randomText(seed, 50);
    for (const specials of modes) expect(tokenizer.decode(tokenizer.encode(text, { specials }))).toBe(text);
  }
});

test.each(tokenizers)('ids do not depend on how a text comes in chunks: $name', ({ tokenizer }) => {
  for (let seed = 0; seed < 500; seed++) {
    const text = randomText(seed, 50);
    const specials = modes[seed % modes.length] as SpecialMode;
    const encoder = tokenizer.createEncoder({ specials });
    const parts = randomChunks(seed, text).map((chunk) => encoder.push(chunk));
    const ids = [...parts, encoder.end()].flatMap(numbers);
    expect(ids).toEqual(numbers(tokenizer.encode(text, { specials })));
  }
});

test.each(tokenizers)(
  'a stream of ids decodes to the whole text, never to half a character: $name',
  ({ tokenizer }) => {
    for (let seed = 0; seed < 300; seed++) {
      const text = randomText(seed, 50).replaceAll('\ufffd', '');
      const decoder = tokenizer.createDecoder();
      const parts = numbers(tokenizer.encode(text)).map((id) => decoder.push([id]));
      expect(parts.some((part) => part.includes('\ufffd'))).toBe(false);
      expect(parts.join('') + decoder.end()).toBe(text);
    }
  },
);

test.each(tokenizers)('any ids decode to the bytes of their tokens, one after another: $name', ({ tokenizer }) => {
  const random = createRandom(7);
  const ids = Array.from({ length: 2000 }, () => Math.floor(random() * tokenizer.vocabSize));
  const bytes = Buffer.concat(ids.map((id) => tokenizer.decodeBytes([id])));
  expect(Buffer.from(tokenizer.decodeBytes(ids)).equals(bytes)).toBe(true);
  expect(tokenizer.decode(ids)).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
});

test('any bytes at all, valid UTF-8 or not, have ids that decode to them', () => {
  const idOfByte = new Map(Array.from({ length: 256 }, (_, id) => [gpt2.decodeBytes([id])[0], id]));
  const random = createRandom(3);
  const bytes = Array.from({ length: 5000 }, () => Math.floor(random() * 256));
  expect(idOfByte.size).toBe(256);
  expect(Array.from(gpt2.decodeBytes(bytes.map((byte) => idOfByte.get(byte) as number)))).toEqual(bytes);
});

test('a stream hands out ids as soon as a word is over', () => {
  const encoder = gpt2.createEncoder();
  expect(numbers(encoder.push('Hello wor'))).toEqual([15496]);
  expect(numbers(encoder.push('ld'))).toEqual([]);
  expect(numbers(encoder.end())).toEqual([995]);
});

test('special tokens in text are text by default, ids where allowed, and errors where forbidden', () => {
  const text = 'a<|endoftext|>b';
  expect(numbers(gpt2.encode(text))).not.toContain(50256);
  expect(numbers(gpt2.encode(text, { specials: 'parse' }))).toEqual([64, 50256, 65]);
  expect(numbers(gpt2.encode(text, { specials: new Set(['<|endoftext|>']) }))).toEqual([64, 50256, 65]);
  expect(() => gpt2.encode(text, { specials: 'reject' })).toThrow(SpecialTokenError);
  expect(() => gpt2.encode(text, { specials: 'reject' })).toThrow('"<|endoftext|>" at position 1');
  expect(() => gpt2.encode(text, { specials: new Set(['<|nothing|>']) })).toThrow('is not a special token');
});

test('a forbidden special token is found in a stream, however it is cut, at its place in the whole text', () => {
  const encoder = gpt2.createEncoder({ specials: 'reject' });
  encoder.push('some words here <|endof');
  const rest = () => [encoder.push('text|> and more'), encoder.end()];
  expect(rest).toThrow('at position 16');
});

test('special tokens can be left out when decoding', () => {
  expect(gpt2.decode([64, 50256, 65], { skipSpecialTokens: true })).toBe('ab');
  expect(gpt2.createDecoder({ skipSpecialTokens: true }).push([64, 50256, 65])).toBe('ab');
});

test('an id outside the vocabulary is an error that names it', () => {
  expect(() => gpt2.decode([64, 50257])).toThrow('id 50257 at position 1 is not in the vocabulary of 50257 tokens');
  expect(() => gpt2.decode([-1])).toThrow(RangeError);
});

test('lone surrogates become U+FFFD, as in every UTF-8 encoder', () => {
  expect(gpt2.decode(gpt2.encode('a\ud800b\udc00'))).toBe('a\ufffdb\ufffd');
});

test('a megabyte without a space comes back whole (quadratic merging would outlast the test)', () => {
  const text = 'abcdefgh'.repeat(125_000);
  expect(gpt2.decode(gpt2.encode(text))).toBe(text);
});

test('GPT-2 ends and begins texts with <|endoftext|>', () => {
  expect([gpt2.vocabSize, gpt2.bosId, gpt2.eosId, gpt2.padId]).toEqual([50257, 50256, 50256, undefined]);
});
