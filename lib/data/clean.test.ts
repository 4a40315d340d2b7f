import { expect, test } from '@jest/globals';
import { createDeduplicator } from './dedup.ts';
import { createLabels } from './labels.ts';
import { normalise } from './normalise.ts';
import { splitContiguously, splitOf } from './split.ts';

test.each([
  ['plain ASCII\tstays\n', 'plain ASCII\tstays\n'],
  ['\uFEFFmark', 'mark'],
  ['a\r\nb\rc\fd', 'a\nb\nc\nd'],
  ['e\u0301', 'é'],
  ['a\0b\u0007c\u007fd\u0090', 'abcd'],
  ['half \ud83d pair', 'half \ufffd pair'],
  ['\0\uFEFFx', 'x'],
  ['  spaces \n\n\n stay  ', '  spaces \n\n\n stay  '],
])('%j becomes %j, and stays so', (raw, clean) => {
  expect(normalise(raw)).toBe(clean);
  expect(normalise(clean)).toBe(clean);
});

test('a text is new once; space around it does not count; the table grows', () => {
  const known = createDeduplicator();
  for (let i = 0; i < 5000; i++) expect(known.add(`text ${i}`)).toBe(true);
  for (let i = 0; i < 5000; i++) expect(known.add(` text ${i}\n`)).toBe(false);
  expect(known.size).toBe(5000);
});

test('shares hold within chance, whatever the seed; the same text and seed give the same part', () => {
  const shares = { validation: 0.1, test: 0.05 };
  for (const seed of [1, 2]) {
    const parts = Array.from({ length: 20_000 }, (_, i) => splitOf(`row ${i}`, seed, shares));
    const share = (name: string) => parts.filter((part) => part === name).length / parts.length;
    expect(share('validation')).toBeCloseTo(0.1, 1.8);
    expect(share('test')).toBeCloseTo(0.05, 1.8);
  }
  expect(splitOf('x', 1, { validation: 1, test: 0 })).toBe('validation');
  expect(splitOf('x', 1, { validation: 0, test: 0 })).toBe('train');
});

test('a text stays in its part when the shares of the others or the data change', () => {
  const texts = Array.from({ length: 500 }, (_, i) => `row ${i}`);
  for (const text of texts) {
    const before = splitOf(text, 7, { validation: 0.1, test: 0 });
    const after = splitOf(text, 7, { validation: 0.2, test: 0 });
    if (before === 'validation') expect(after).toBe('validation');
  }
});

test('contiguous parts are counted in characters, not halves of them, and put together give the text', () => {
  const text = `${'😀'.repeat(10)}abcdefghij`;
  expect(splitContiguously(text, { validation: 0.25, test: 0.25 })).toEqual({
    train: '😀'.repeat(10),
    validation: 'abcde',
    test: 'fghij',
  });
  expect(splitContiguously('ab', { validation: 0, test: 0 })).toEqual({ train: 'ab', validation: '', test: '' });
});

test('labels found are sorted, numbers by value; given ones are taken by name or by id', () => {
  const numbers = createLabels([]);
  expect(['10', '9', '10'].map((label) => numbers.idOf(label))).toEqual([0, 1, 0]);
  expect(numbers.finish()).toEqual({ names: ['9', '10'], finalIds: [1, 0] });
  const given = createLabels(['ham', 'spam']);
  expect(['spam', '0', '1', 'eggs'].map((label) => given.idOf(label))).toEqual([1, 0, 1, undefined]);
  expect(given.finish().names).toEqual(['ham', 'spam']);
});

test('a thousand and more labels are a wrong column', () => {
  const labels = createLabels([]);
  expect(() => Array.from({ length: 1001 }, (_, i) => labels.idOf(`sentence ${i}`))).toThrow(
    'name the right column for label',
  );
});
