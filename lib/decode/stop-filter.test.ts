import { expect, test } from '@jest/globals';
import { uniformAt } from './sampling.ts';
import { createStopFilter } from './stop-filter.ts';

/** The text in pieces of 1 to 4 characters. */
function cut(text: string, seed: number): string[] {
  const pieces: string[] = [];
  for (let at = 0, i = 0; at < text.length; i++) {
    const size = 1 + Math.floor(uniformAt(seed, i) * 4);
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  return pieces;
}

function filterAll(pieces: string[], stops: string[]) {
  const filter = createStopFilter(stops);
  const shown = pieces.map((piece) => filter.push(piece));
  return { shown, text: shown.join('') + filter.end(), isStopped: filter.isStopped };
}

test.each([
  ['abcabcabd', ['abd'], 'abcabc'],
  ['aaaaab', ['aab'], 'aaa'],
  ['no stop text here', ['END', 'STOP'], 'no stop text here'],
  ['ends in a beginning EN', ['END'], 'ends in a beginning EN'],
  ['<|a|><|b|>', ['<|b|>', '<|'], ''],
  ['one two three', ['three', 'two'], 'one '],
  ['overlap: abcde', ['cde', 'bcd'], 'overlap: a'],
  ['anything', [], 'anything'],
])('%j with stop texts %j is %j, however it is cut', (text, stops, expected) => {
  for (let seed = 0; seed < 50; seed++) {
    const { shown, text: whole, isStopped } = filterAll(cut(text, seed), stops);
    expect(whole).toBe(expected);
    expect(isStopped).toBe(whole !== text);
    for (let i = 1; i <= shown.length; i++) expect(expected.startsWith(shown.slice(0, i).join(''))).toBe(true);
  }
});

test('nothing is held back that cannot become a stop text', () => {
  const filter = createStopFilter(['xyz']);
  expect([filter.push('ab'), filter.push('cx'), filter.push('y'), filter.push('a')]).toEqual(['ab', 'c', '', 'xya']);
});

test('after a stop text nothing more comes', () => {
  const filter = createStopFilter(['.']);
  expect([filter.push('a.b'), filter.push('c'), filter.end()]).toEqual(['a', '', '']);
});
