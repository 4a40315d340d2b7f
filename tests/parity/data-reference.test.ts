// The data stage against published counts, hashes and measured baselines.
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { buildDataset } from '#lib/data/build-dataset.ts';
import { accuracyOf, confusionOf, majorityAccuracyOf } from '#lib/data/metrics.ts';
import { type LabelledText, trainNaiveBayes } from '#lib/data/naive-bayes.ts';
import { ngramLosses } from '#lib/data/ngram.ts';
import { createGpt2Tokenizer } from '#lib/text/gpt2.ts';
import type { Tokenizer } from '#lib/text/tokenizer.ts';
import { createCharTrainer } from '#lib/text/train-char.ts';
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

/** Tokens of each part of tiny Shakespeare, cut 90/10, and the SHA-256 of its only shard. */
async function buildShakespeare(dir: string, tokenizer: Tokenizer) {
  const folder = mkdtempSync(path.join(tmpdir(), 'strata-shakespeare-'));
  const file = path.join(dir, 'tinyshakespeare/input.txt');
  try {
    const { splits } = await buildDataset({
      kind: 'text',
      sources: [{ path: file, name: 'input.txt', format: 'text' }],
      tokenizer,
      folder,
      shares: { validation: 0.1, test: 0 },
      contiguous: true,
      seed: 1,
      keepDuplicates: false,
      columns: {},
      separator: '',
      maxRowTokens: 1024,
      labelNames: [],
    });
    const describe = ({ name, tokens, shards: [shard] }: (typeof splits)[number]) => {
      const bytes = readFileSync(path.join(folder, shard?.tokens ?? ''));
      return [name, { tokens, sha256: createHash('sha256').update(bytes).digest('hex') }];
    };
    return Object.fromEntries(splits.map(describe));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

testWithData(
  "tiny Shakespeare's shards are nanoGPT's files, byte for byte: characters and GPT-2's ids",
  async (dir) => {
    const reference = JSON.parse(read(dir, 'tokenizer_reference.json'));
    const trainer = createCharTrainer();
    trainer.add(read(dir, 'tinyshakespeare/input.txt'));
    const cases = {
      nanogpt_shakespeare_char_split: trainer.finish(),
      nanogpt_shakespeare_bpe_split: createGpt2Tokenizer(),
    };
    for (const [name, tokenizer] of Object.entries(cases)) {
      const { train, val, train_u16_sha256, val_u16_sha256 } = reference[name];
      expect(await buildShakespeare(dir, tokenizer)).toEqual({
        train: { tokens: train, sha256: train_u16_sha256 },
        validation: { tokens: val, sha256: val_u16_sha256 },
      });
    }
  },
);
