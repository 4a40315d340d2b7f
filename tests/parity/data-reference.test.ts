// The data stage against published counts, hashes and measured baselines.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { accuracyOf, confusionOf, majorityAccuracyOf } from '#lib/data/metrics.ts';
import { type LabelledText, trainNaiveBayes } from '#lib/data/naive-bayes.ts';
import { ngramLosses } from '#lib/data/ngram.ts';
import { testWithData } from '../support/data-dir.ts';

const read = (dir: string, file: string): string => readFileSync(path.join(dir, file), 'utf8');

testWithData('n-gram losses on the validation part of tiny Shakespeare are the measured ones', async (dir) => {
  const text = read(dir, 'tinyshakespeare/input.txt');
  const expected = JSON.parse(read(dir, 'tokenizer_reference.json')).char_ngram_val_nats_laplace1;
  const characters = [...new Set(text)].sort();
  const ids = Int32Array.from(text, (character) => characters.indexOf(character));
  const border = Math.floor(0.9 * ids.length);
  const halves = [ids.subarray(0, 400_001), ids.subarray(400_001, border)];
  const losses = await ngramLosses({ vocabSize: 65, train: halves, validation: [ids.subarray(border)] });
  for (const name of ['uniform', 'unigram', 'bigram', 'trigram'] as const) {
    expect(losses[name]).toBeCloseTo(expected[name], 6);
  }
});

testWithData("Naive Bayes on the book's split of the SMS collection: validation 99.33 %, test 95.33 %", (dir) => {
  const rowsOf = (file: string): LabelledText[] =>
    parse<{ Label: string; Text: string }>(read(dir, `sms_spam/${file}.csv`), { columns: true }).map((row) => ({
      text: row.Text,
      label: Number(row.Label),
    }));
  const model = trainNaiveBayes(rowsOf('train'), 2);
  const judge = (file: string) =>
    confusionOf(
      rowsOf(file).map(({ text, label }) => ({ label, predicted: model.classify(text) })),
      2,
    );
  expect(100 * accuracyOf(judge('validation'))).toBeCloseTo(99.33, 2);
  expect(100 * accuracyOf(judge('test'))).toBeCloseTo(95.33, 2);
  expect(100 * majorityAccuracyOf(judge('test'))).toBeCloseTo(50.33, 2);
});
