// GPT-2's vocabulary and characters against published counts and hashes (tokenizer_reference.json).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from '@jest/globals';
import { createGpt2Tokenizer, createGpt2TokenizerFromFiles } from '#lib/text/gpt2.ts';
import { createCharTrainer } from '#lib/text/train-char.ts';
import { testWithData } from '../support/data-dir.ts';

interface Reference {
  readonly tokens: number;
  readonly sha256_u32le: string;
}

interface SplitReference {
  readonly train_u16_sha256: string;
  readonly val_u16_sha256: string;
}

type References = Record<string, Record<string, Reference>> & Record<`nanogpt_${string}`, SplitReference>;

const texts = [
  'tinyshakespeare/input.txt',
  'raschka/the-verdict.txt',
  'multi30k/val.de',
  'sms_spam/SMSSpamCollection',
  'raschka/instruction-data.json',
];

const read = (dir: string, file: string): string => readFileSync(path.join(dir, file), 'utf8');
const references = (dir: string): References => JSON.parse(read(dir, 'tokenizer_reference.json'));
const sha256 = (ids: Int32Array | Uint16Array): string =>
  createHash('sha256')
    .update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength))
    .digest('hex');

const gpt2 = createGpt2Tokenizer();

testWithData("GPT-2's ids of whole files are tiktoken's, and decode to the files", (dir) => {
  for (const file of texts) {
    const text = read(dir, file);
    const ids = gpt2.encode(text);
    expect({ file, tokens: ids.length, sha256: sha256(ids) }).toEqual({
      file,
      tokens: references(dir)[file]?.r50k_base?.tokens,
      sha256: references(dir)[file]?.r50k_base?.sha256_u32le,
    });
    expect(gpt2.decode(ids) === text).toBe(true);
  }
});

testWithData("nanoGPT's split of Shakespeare: the same shards of GPT-2 tokens", (dir) => {
  const text = read(dir, 'tinyshakespeare/input.txt');
  const cut = Math.floor(text.length * 0.9);
  const expected = references(dir).nanogpt_shakespeare_bpe_split;
  const [train, validation] = [text.slice(0, cut), text.slice(cut)].map((part) => Uint16Array.from(gpt2.encode(part)));
  expect([train?.length, validation?.length]).toEqual([301_966, 36_059]);
  expect(train && sha256(train)).toBe(expected?.train_u16_sha256);
  expect(validation && sha256(validation)).toBe(expected?.val_u16_sha256);
});

testWithData("nanoGPT's characters of Shakespeare: 65, and the same shards", (dir) => {
  const text = read(dir, 'tinyshakespeare/input.txt');
  const trainer = createCharTrainer();
  trainer.add(text);
  const tokenizer = trainer.finish();
  const ids = Uint16Array.from(tokenizer.encode(text));
  const cut = Math.floor(text.length * 0.9);
  const expected = references(dir).nanogpt_shakespeare_char_split;
  expect([tokenizer.vocabSize, cut, ids.length - cut]).toEqual([65, 1_003_854, 111_540]);
  expect(sha256(ids.slice(0, cut))).toBe(expected?.train_u16_sha256);
  expect(sha256(ids.slice(cut))).toBe(expected?.val_u16_sha256);
});

testWithData("the ranks of js-tiktoken and OpenAI's two files give the same vocabulary and merges", (dir) => {
  const encoder = JSON.parse(read(dir, 'gpt2_bpe/encoder.json'));
  const fromFiles = createGpt2TokenizerFromFiles({ encoder, merges: read(dir, 'gpt2_bpe/vocab.bpe') });
  expect(JSON.stringify(fromFiles.toJSON()) === JSON.stringify(gpt2.toJSON())).toBe(true);
});
