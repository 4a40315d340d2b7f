import { expect, test } from '@jest/globals';
import { trainNaiveBayes, wordsOf } from './naive-bayes.ts';

const rows = [
  { text: 'free prize, call now', label: 1 },
  { text: 'Win a FREE phone', label: 1 },
  { text: 'see you at lunch', label: 0 },
  { text: 'call me when you are home', label: 0 },
];

test('words are runs of letters and digits of any script, in lower case', () => {
  expect(wordsOf('Grüße, 2 Männer… don’t')).toEqual(['grüße', '2', 'männer', 'don', 't']);
});

test('a text goes to the class whose words it has; unknown words change nothing', () => {
  const model = trainNaiveBayes(rows, 2);
  expect(model.classify('a free phone')).toBe(1);
  expect(model.classify('lunch at home')).toBe(0);
  expect(model.classify('lunch at home zebra zebra')).toBe(0);
});

test('no rows and impossible labels are refused', () => {
  expect(() => trainNaiveBayes([], 2)).toThrow('no rows');
  expect(() => trainNaiveBayes([{ text: 'x', label: 2 }], 2)).toThrow('label 2 is none of 2 classes');
});
