import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createChat } from '#lib/text/chat.ts';
import { defaultSpecialTokens } from '#lib/text/default-roles.ts';
import { createCharTrainer } from '#lib/text/train-char.ts';
import { type BuildOptions, type BuiltDataset, buildDataset } from './build-dataset.ts';
import { openShards, type ShardReader } from './shard-reader.ts';
import { formatOf } from './source.ts';
import type { SplitName } from './split.ts';
import { createTemporaryFolder } from './temporary-folder.fixture.ts';

const trainer = createCharTrainer({ specialTokens: defaultSpecialTokens });
trainer.add(`${Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('')}\n`);
const tokenizer = trainer.finish();
const endOfText = tokenizer.eosId as number;

type Files = Record<string, string | [string, SplitName]>;
type Built = BuiltDataset & { open(name: SplitName): ShardReader };

async function build<T>(files: Files, asked: Partial<BuildOptions>, use: (built: Built) => T): Promise<T> {
  using folder = createTemporaryFolder();
  const output = join(folder.path, 'out');
  mkdirSync(output);
  const sources = Object.entries(files).map(([name, file]) => {
    const [content, split] = typeof file === 'string' ? [file, undefined] : file;
    const holds = (asked.kind ?? 'text') === 'text' ? 'documents' : 'rows';
    return { path: folder.write(name, content), name, split, format: formatOf(name, Buffer.from(content), holds) };
  });
  const built = await buildDataset({
    kind: 'text',
    sources,
    tokenizer,
    folder: output,
    shares: { validation: 0, test: 0 },
    contiguous: false,
    seed: 1,
    keepDuplicates: false,
    columns: {},
    separator: '',
    maxRowTokens: 1024,
    labelNames: [],
    ...asked,
  });
  const open = (name: SplitName) => {
    const shards = built.splits.find((split) => split.name === name)?.shards ?? [];
    const paths = shards.map(({ tokens, index }) => ({
      name: tokens,
      tokens: join(output, tokens),
      index: join(output, index),
    }));
    return openShards({ shards: paths, tokenBytes: 2 });
  };
  return use({ ...built, open });
}

const rowsOf = (reader: ShardReader): number[][] =>
  Array.from({ length: reader.rowCount }, (_, i) => {
    const { start, length } = reader.row(i);
    const ids = new Int32Array(length);
    reader.read(start, ids);
    return [...ids];
  });
const textsOf = (reader: ShardReader): string[] => rowsOf(reader).map((ids) => tokenizer.decode(ids));
const jsonl = (rows: unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

test('documents are cleaned, kept once, and stand with the end-of-text token between them', async () => {
  const content = 'first\n--\nsecond\n--\n first \n--\n   \n--\nthird';
  await build({ 'a.txt': content }, { separator: '\n--\n' }, (built) => {
    using reader = built.open('train');
    expect(built.dropped).toEqual({ duplicate: 1, empty: 1 });
    expect(built.droppedRows).toMatchObject([
      { reason: 'duplicate', source: 'a.txt', line: 5 },
      { reason: 'empty', source: 'a.txt', line: 7 },
    ]);
    expect(rowsOf(reader)).toEqual([
      [...tokenizer.encode('first')],
      [endOfText, ...tokenizer.encode('second')],
      [endOfText, ...tokenizer.encode('third')],
    ]);
    expect(built.splits).toMatchObject([{ name: 'train', documents: 3, tokens: 18, lossTokens: 18, bytes: 16 }]);
  });
});

test('one text file is cut where its shares say, not sent to one part as a whole', async () => {
  const content = 'abcdefghij'.repeat(10);
  await build({ 'a.txt': content }, { shares: { validation: 0.1, test: 0.05 } }, (built) => {
    expect(built.splits.map(({ name, tokens }) => [name, tokens])).toEqual([
      ['train', 85],
      ['validation', 10],
      ['test', 5],
    ]);
    using validation = built.open('validation');
    expect(textsOf(validation)).toEqual([content.slice(85, 95)]);
  });
});

test('documents go to parts by their hash, or where their source says', async () => {
  const documents = Array.from({ length: 200 }, (_, i) => ({ text: `document ${i}` }));
  const files: Files = { 'a.jsonl': jsonl(documents), 'b.jsonl': [jsonl([{ text: 'held out' }]), 'test'] };
  await build(files, { shares: { validation: 0.2, test: 0 } }, ({ splits, open }) => {
    const [train, validation, held] = splits.map((split) => split.documents) as [number, number, number];
    expect(train + validation).toBe(200);
    expect(validation).toBeGreaterThan(20);
    expect(held).toBe(1);
    using test = open('test');
    expect(textsOf(test)).toEqual(['held out']);
  });
});

test('labelled rows: classes sorted by name, rows cut at their longest, counted by class', async () => {
  const rows = 'spam\tfree prize\nham\tsee you\nham\tok\nspam\tfree prize\n';
  await build({ 'a.tsv': rows }, { kind: 'labelled', maxRowTokens: 4 }, ({ splits, labelNames, open, dropped }) => {
    using reader = open('train');
    expect(labelNames).toEqual(['ham', 'spam']);
    expect(textsOf(reader)).toEqual(['free', 'see ', 'ok']);
    expect([0, 1, 2].map((row) => reader.row(row).label)).toEqual([1, 0, 0]);
    expect(splits[0]?.labels).toEqual({ spam: 1, ham: 2 });
    expect(dropped).toEqual({ duplicate: 1 });
  });
});

test('labels written as numbers get the names that are given; others are left out', async () => {
  const rows = 'Label,Text\n1,free\n0,hello\n2,what\n';
  await build({ 'a.csv': rows }, { kind: 'labelled', labelNames: ['ham', 'spam'] }, (built) => {
    expect(built.labelNames).toEqual(['ham', 'spam']);
    expect(built.splits[0]?.labels).toEqual({ spam: 1, ham: 1 });
    expect(built.droppedRows).toEqual([{ reason: 'unknown_label', source: 'a.csv', line: 4, detail: '"2"' }]);
  });
});

test('instructions: the tokens that carry loss spell what the assistant says, its end token included', async () => {
  const rows = [
    { instruction: 'Say hi.', output: 'hi <|im_end|> there' },
    { instruction: 'Long.', output: 'x'.repeat(200) },
  ];
  await build({ 'a.jsonl': jsonl(rows) }, { kind: 'instructions', maxRowTokens: 100 }, ({ open, splits, dropped }) => {
    using reader = open('train');
    const [ids = []] = rowsOf(reader);
    const mask = new Uint8Array(ids.length);
    reader.readMask(0, mask);
    const spoken = ids.filter((_, i) => mask[i] === 1);
    const end = tokenizer.specialTokens.get('<|im_end|>');
    expect(tokenizer.decode(spoken.slice(0, -1))).toBe('hi <|im_end|> there');
    expect(spoken.filter((id) => id === end)).toEqual([end]);
    expect(spoken.at(-1)).toBe(end);
    const { prompt } = createChat(tokenizer).render([
      { role: 'user', content: 'Say hi.' },
      { role: 'assistant', content: 'hi <|im_end|> there' },
    ]);
    expect(tokenizer.decode(ids)).toBe(prompt);
    expect(splits[0]).toMatchObject({ documents: 1, tokens: ids.length, lossTokens: spoken.length });
    expect(dropped).toEqual({ too_long: 1 });
  });
});

test('the same question is never on both sides of a split', async () => {
  const rows = Array.from({ length: 300 }, (_, i) => ({ instruction: `question ${i % 50}`, output: `answer ${i}` }));
  await build(
    { 'a.jsonl': jsonl(rows) },
    { kind: 'instructions', shares: { validation: 0.3, test: 0 } },
    ({ open }) => {
      using train = open('train');
      using validation = open('validation');
      const questions = (reader: ShardReader) => new Set(textsOf(reader).map((text) => /question \d+/.exec(text)?.[0]));
      const seen = questions(train);
      expect([...questions(validation)].filter((question) => seen.has(question))).toEqual([]);
      expect(questions(validation).size).toBeGreaterThan(5);
    },
  );
});

test('the same files and settings give the same bytes; the size of shards changes no token', async () => {
  const files = {
    'a.jsonl': jsonl(Array.from({ length: 100 }, (_, i) => ({ text: `document ${i} `.repeat(1 + (i % 7)) }))),
  };
  const tokensWith = (shardTokens: number) =>
    build(files, { shardTokens }, ({ open, splits }) => {
      using reader = open('train');
      return { tokens: rowsOf(reader), shards: splits[0]?.shards.length };
    });
  const [whole, again, cut] = [await tokensWith(1e6), await tokensWith(1e6), await tokensWith(500)];
  expect(again).toEqual(whole);
  expect(cut.tokens).toEqual(whole.tokens);
  expect(cut.shards).toBeGreaterThan(5);
});

test.each<[string, Files, Partial<BuildOptions>, string]>([
  ['no rows', { 'a.jsonl': '' }, {}, 'no data in a.jsonl: there is nothing in them'],
  ['only bad rows', { 'a.jsonl': 'x\ny\n' }, {}, 'all was left out: invalid_json 2 (first: a.jsonl line 1)'],
  [
    'an empty validation part',
    { 'a.jsonl': jsonl([{ text: 'a' }]) },
    { shares: { validation: 1e-9, test: 0 } },
    'fell to validation',
  ],
  [
    'an empty training part',
    { 'a.jsonl': jsonl([{ text: 'a' }]) },
    { shares: { validation: 1, test: 0 } },
    'fell to train',
  ],
  [
    'unknown characters',
    { 'a.jsonl': jsonl([{ text: 'a' }, { text: 'caf\u00e9' }]) },
    {},
    'a.jsonl line 2: character "é" (U+00E9)',
  ],
])('data with %s is refused with what to do', async (_, files, asked, message) => {
  await expect(build(files, asked, () => undefined)).rejects.toThrow(message);
});

test('instructions without a chat template are refused before anything is read', async () => {
  const plain = createCharTrainer();
  plain.add('abc');
  const attempt = build(
    { 'a.jsonl': jsonl([{ instruction: 'a', output: 'b' }]) },
    { kind: 'instructions', tokenizer: plain.finish() },
    () => undefined,
  );
  await expect(attempt).rejects.toThrow('no chat template: instructions need a tokenizer with one');
});

test('a build that fails leaves no file open', async () => {
  const descriptors = () => readdirSync('/proc/self/fd').length;
  const files = { 'a.jsonl': jsonl([{ text: 'a' }, { text: 'é' }]) };
  const before = descriptors();
  for (let i = 0; i < 20; i++) await expect(build(files, {}, () => undefined)).rejects.toThrow();
  await new Promise((resolve) => setImmediate(resolve));
  expect(descriptors()).toBeLessThan(before + 10);
});
