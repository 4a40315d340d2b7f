import { expect, test } from '@jest/globals';
import { formatRef } from '#lib/contracts/format-ref.ts';
import { parseMixturePart, parseRef } from './refs.ts';

test('a reference is a name, or a name with a version or alias', () => {
  expect(parseRef('docs')).toEqual({ name: 'docs', version: '' });
  expect(parseRef('docs@v2')).toEqual({ name: 'docs', version: 'v2' });
  expect(formatRef(parseRef('docs@production'))).toBe('docs@production');
});

test.each(['', '@v1', 'a@b@c'])('"%s" is no reference', (text) => {
  expect(() => parseRef(text)).toThrow(/write name, name@v2 or name@alias/);
});

test('a part of a mixture may carry a weight', () => {
  expect(parseMixturePart('docs@v1=2.5')).toEqual({ dataset: { name: 'docs', version: 'v1' }, weight: 2.5 });
  expect(parseMixturePart('docs').weight).toBe(0);
  expect(() => parseMixturePart('docs=-1')).toThrow(/number >= 0/);
  expect(() => parseMixturePart('docs=much')).toThrow(/number >= 0/);
});
