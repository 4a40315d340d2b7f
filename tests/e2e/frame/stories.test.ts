import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { toTable } from './report.ts';
import { pickStories, stories } from './stories.ts';

test('without STORY all run; with it those that are named, in the order of the list', () => {
  expect(pickStories()).toEqual([...stories]);
  expect(pickStories('kill-each,helm-test')).toEqual(['helm-test', 'kill-each']);
});

test('an unknown story is told the stories there are', () => {
  expect(() => pickStories('helm-tset')).toThrow(/no story "helm-tset": there are helm-test, restricted, /);
});

test('every story has its folder', () => {
  const missing = stories.filter((story) => !existsSync(join(__dirname, '..', story)));
  expect(missing).toEqual([]);
});

test('the table says how long each step took, and all of them by the clock', () => {
  const rows = [
    { name: 'cluster', seconds: 27.04, note: 'made' },
    { name: 'helm-test', seconds: 3, note: '1 passed' },
  ];
  expect(toTable(rows, 29).split('\n')).toEqual([
    'cluster       27.0 s  made',
    'helm-test      3.0 s  1 passed',
    'total         29.0 s',
  ]);
});
