import { expect, test } from '@jest/globals';
import {
  gpt2Pattern,
  gpt2PreTokenizer,
  type SplitText,
  smollmPattern,
  smollmPreTokenizer,
  splitByRegex,
} from './pre-tokenizers.ts';
import { randomText } from './random-text.fixture.ts';

const piecesOf = (split: SplitText, text: string): string[] => {
  const pieces: string[] = [];
  split(text, (piece) => pieces.push(piece));
  return pieces;
};

const rules = [
  { name: 'GPT-2', split: gpt2PreTokenizer.split, pattern: gpt2Pattern },
  { name: 'SmolLM2', split: smollmPreTokenizer.split, pattern: smollmPattern },
];

test.each(rules)('the scan of $name cuts as its regular expression does', ({ split, pattern }) => {
  const oracle = splitByRegex(new RegExp(pattern, 'gu'));
  for (let seed = 0; seed < 2000; seed++) {
    const text = randomText(seed, 60);
    expect(piecesOf(split, text)).toEqual(piecesOf(oracle, text));
  }
});

test('a word takes the blank before it, a contraction is a piece, and spaces leave one for the word', () => {
  expect(piecesOf(gpt2PreTokenizer.split, "I'll  go\n\n 12 times!")).toEqual([
    'I',
    "'ll",
    ' ',
    ' go',
    '\n\n',
    ' 12',
    ' times',
    '!',
  ]);
});

test('SmolLM2 takes every digit alone, and the spaces before it together', () => {
  expect(piecesOf(smollmPreTokenizer.split, 'a  12 b')).toEqual(['a', '  ', '1', '2', ' b']);
});

test('SmolLM2 in one expression equals digits first, then GPT-2 on each part', () => {
  const digits = splitByRegex(/\p{N}/gu);
  for (let seed = 0; seed < 500; seed++) {
    const text = randomText(seed, 60);
    const twice: string[] = [];
    digits(text, (part) => gpt2PreTokenizer.split(part, (piece) => twice.push(piece)));
    expect(piecesOf(smollmPreTokenizer.split, text)).toEqual(twice);
  }
});

test("white space is Unicode's: U+0085 is, U+FEFF is not", () => {
  expect(piecesOf(gpt2PreTokenizer.split, 'a\u0085\u0085b')).toEqual(['a', '\u0085', '\u0085', 'b']);
  expect(piecesOf(gpt2PreTokenizer.split, '\uFEFF!')).toEqual(['\uFEFF!']);
});
