import { gzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { createEntryReader, type EntryOrDrop } from './entry.ts';
import type { ParseOptions } from './item.ts';
import { parseSource } from './parse.ts';
import { formatOf, type SourceFormat } from './source.ts';
import { createTemporaryFolder } from './temporary-folder.fixture.ts';

type Content = string | Uint8Array;
type Options = Partial<ParseOptions> & Pick<ParseOptions, 'kind'>;

/** [line, entry] of everything in a file. */
async function read(format: SourceFormat, content: Content, asked: Options): Promise<[number, EntryOrDrop][]> {
  using folder = createTemporaryFolder();
  const name = `data.${format}`;
  const options = { separator: '', columns: {}, ...asked };
  const toEntry = createEntryReader({ ...options, source: name });
  const entries: [number, EntryOrDrop][] = [];
  for await (const item of parseSource({ path: folder.write(name, content), name, format }, options)) {
    entries.push([item.line, toEntry(item)]);
  }
  return entries;
}

const text = (text: string) => ({ kind: 'text', text });
const labelled = (text: string, label: string) => ({ kind: 'labelled', text, label });
const dropped = (reason: string) => ({ kind: 'dropped', reason });

test('a text file without separator is one document, with its byte order mark and Windows line ends put right', async () => {
  expect(await read('text', '\uFEFFone\r\ntwo\r\n', { kind: 'text' })).toEqual([[1, text('one\ntwo\n')]]);
});

test.each(['\n', '\r\n'])('documents between separators are found in a file with %j as line end', async (end) => {
  const content = ['a', 'b', '', '', 'c', '', '', '', 'd'].join(end);
  expect(await read('text', content, { kind: 'text', separator: '\n\n\n' })).toEqual([
    [1, text('a\nb')],
    [5, text('c')],
    [8, text('\nd')],
  ]);
});

test('separators are found wherever the file is cut into chunks', async () => {
  const documents = Array.from({ length: 3000 }, (_, i) => `document ${i} ${'x'.repeat((i * 7919) % 600)}`);
  const entries = await read('text', documents.join('<|end|>'), { kind: 'text', separator: '<|end|>' });
  expect(entries.map(([, entry]) => entry)).toEqual(documents.map(text));
});

test('JSONL: rows with their lines; what is no row is reported with its line', async () => {
  const rows = ['{"text":"a"}', '', 'garbage', '[1]', '{"text":7}', '{"other":1}', '{"text":"  "}'].join('\n');
  expect(await read('jsonl', rows, { kind: 'text' })).toEqual([
    [1, text('a')],
    [3, dropped('invalid_json')],
    [4, dropped('no_object')],
    [5, text('7')],
    [6, dropped('missing_text')],
    [7, dropped('empty')],
  ]);
});

test('invalid UTF-8 is dropped row by row, and refused with its line in a text of one document', async () => {
  const bad = Buffer.concat([
    Buffer.from('{"text":"a"}\n{"text":"'),
    Buffer.of(0xff),
    Buffer.from('"}\n{"text":"c"}\n'),
  ]);
  expect(await read('jsonl', bad, { kind: 'text' })).toEqual([
    [1, text('a')],
    [2, dropped('invalid_utf8')],
    [3, text('c')],
  ]);
  await expect(read('text', bad, { kind: 'text' })).rejects.toThrow('data.text line 2 is not UTF-8');
  const table = Buffer.concat([Buffer.from('text,label\na,1\n'), Buffer.of(0xe9), Buffer.from(',1\nb,0\n')]);
  expect(await read('csv', table, { kind: 'labelled' })).toEqual([
    [2, labelled('a', '1')],
    [3, dropped('invalid_utf8')],
    [4, labelled('b', '0')],
  ]);
});

test.each([
  ['is gzip-compressed', gzipSync('text')],
  ['is UTF-16', Buffer.from('\uFEFFtext', 'utf16le')],
  ['holds binary data', Buffer.from([1, 2, 0, 3])],
])('a file that %s is refused by its name, whatever its format', async (what, content) => {
  for (const format of ['text', 'jsonl', 'json', 'csv', 'tsv'] as const) {
    await expect(read(format, content, { kind: 'text' })).rejects.toThrow(`data.${format} ${what}`);
  }
});

test('CSV: quotes, line ends and commas inside them; the usual names in any case and order', async () => {
  const rows = 'Label,Id,Text\r\n1,7,"He said ""no, thanks""\nand left"\r\n0,8,plain\r\n,9,x\r\n1,2\r\n';
  expect(await read('csv', rows, { kind: 'labelled' })).toEqual([
    [2, labelled('He said "no, thanks"\nand left', '1')],
    [4, labelled('plain', '0')],
    [5, dropped('missing_label')],
    [6, dropped('wrong_columns')],
  ]);
});

test("the SMS collection's form: label, tab, text, no header, quotes that mean nothing", async () => {
  const rows = 'ham\tOk lar "quoted\nspam\tFree entry, call now\nham\t"hi\n';
  expect(await read('tsv', rows, { kind: 'labelled' })).toEqual([
    [1, labelled('Ok lar "quoted', 'ham')],
    [2, labelled('Free entry, call now', 'spam')],
    [3, labelled('"hi', 'ham')],
  ]);
});

test('columns can be named, or numbered where there is no header', async () => {
  const named = { kind: 'labelled', columns: { text: 'body', label: 'topic' } } as const;
  expect(await read('csv', 'topic,body\nsport,goal\n', named)).toEqual([[2, labelled('goal', 'sport')]]);
  const numbered = { kind: 'labelled', columns: { text: '1', label: '3' } } as const;
  expect(await read('csv', 'goal,x,sport\n', numbered)).toEqual([[1, labelled('goal', 'sport')]]);
});

test('columns that are not there are named together with those that are', async () => {
  const wrong = { kind: 'labelled', columns: { text: 'body' } } as const;
  await expect(read('csv', 'text,label\na,b\n', wrong)).rejects.toThrow(
    'has no column "body" (text); it has "text", "label"',
  );
  await expect(read('csv', 'message,topic\na,b\n', { kind: 'labelled' })).rejects.toThrow(
    'has no columns for text and label; it has "message", "topic"',
  );
  await expect(read('jsonl', '{"a":1}\n', { kind: 'text' })).rejects.toThrow('has no columns for text; it has "a"');
});

test('a quote that is never closed is an error with its line', async () => {
  await expect(read('csv', 'text,label\na,b\n"c,d\n', { kind: 'labelled' })).rejects.toThrow(
    'data.csv, from line 3 on, is no valid CSV',
  );
});

test('a JSON array of instructions becomes conversations, with the input under the instruction', async () => {
  const rows = [
    { instruction: 'Add.', input: '1 and 2', output: '3' },
    { instruction: 'Greet.', input: '', output: 'Hello.' },
    { instruction: 'Greet.', output: '' },
    { input: 'x', output: 'y' },
  ];
  const conversation = (user: string, assistant: string) => ({
    kind: 'instructions',
    messages: [
      { role: 'user', content: user },
      { role: 'assistant', content: assistant },
    ],
  });
  expect(await read('json', JSON.stringify(rows, null, 2), { kind: 'instructions' })).toEqual([
    [1, conversation('Add.\n\n1 and 2', '3')],
    [2, conversation('Greet.', 'Hello.')],
    [3, dropped('empty')],
    [4, dropped('missing_messages')],
  ]);
  await expect(read('json', '{"a":1}', { kind: 'text' })).rejects.toThrow('is not one JSON array of rows');
});

test("messages are taken as they are, ShareGPT's names too", async () => {
  const usual = [
    { role: 'system', content: 's' },
    { role: 'user', content: 'u' },
    { role: 'assistant', content: 'a' },
  ];
  const shared = [
    { from: 'human', value: 'u' },
    { from: 'gpt', value: 'a' },
  ];
  const rows = [usual, shared, [{ role: 'user' }], 'x'].map((messages) => JSON.stringify({ messages }));
  expect(await read('jsonl', rows.join('\n'), { kind: 'instructions' })).toEqual([
    [1, { kind: 'instructions', messages: usual }],
    [2, { kind: 'instructions', messages: usual.slice(1) }],
    [3, dropped('missing_messages')],
    [4, dropped('missing_messages')],
  ]);
});

test('an empty file has no rows, in every format', async () => {
  for (const format of ['text', 'jsonl', 'csv', 'tsv'] as const)
    expect(await read(format, '', { kind: 'text' })).toEqual([]);
});

test.each([
  ['a.jsonl', '', 'rows', 'jsonl'],
  ['a.CSV', '', 'rows', 'csv'],
  ['input.txt', '', 'documents', 'text'],
  ['SMSSpamCollection', 'ham\tOk, lar', 'rows', 'tsv'],
  ['labels.txt', '{"text": 1}', 'rows', 'jsonl'],
  ['rows', 'text,label', 'rows', 'csv'],
  ['LICENSE', '{', 'documents', 'text'],
] as const)('the format of %s that begins %j and holds %s is %s', (name, head, holds, format) => {
  expect(formatOf(name, Buffer.from(head), holds)).toBe(format);
});

test('rows of no recognisable format are asked about', () => {
  expect(() => formatOf('data', Buffer.from('hello'), 'rows')).toThrow('give its format');
});
