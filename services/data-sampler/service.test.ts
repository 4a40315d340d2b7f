// Making datasets: what a caller sends, what is made of it, and what is refused.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { StrataEvent } from '#lib/contracts/events.ts';
import { Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { objectKeys } from '#lib/contracts/keys.ts';
import { openArtifact } from '#lib/platform/manifest.ts';
import { createGpt2Tokenizer } from '#lib/text/gpt2.ts';
import {
  book,
  chars,
  charsRef,
  client,
  create,
  createWith,
  home,
  instructions,
  labelled,
  makeFrom,
  platform,
  type Request,
  startService,
  stopService,
  story,
  text,
  upload,
} from './service.fixture.ts';

test('a text becomes a dataset that says what it is made of', async () => {
  expect(book).toMatchObject({
    ref: { name: 'book', version: 'v1' },
    tokenizer: { name: 'chars', version: 'v1' },
    vocabSize: chars.vocabSize,
    dropped: {},
  });
  const [trained, validation] = book.splits;
  expect(trained?.tokens).toBe(Math.floor(0.9 * story.length));
  expect((trained?.tokens ?? 0) + (validation?.tokens ?? 0)).toBe(story.length);
  expect((await client.getDataset({ dataset: { name: 'book' } })).dataset).toEqual(book);
  expect((await client.listDatasets({})).datasets).toContainEqual(book);
  const artifact = await openArtifact(platform.objects, objectKeys.dataset('book', 'v1'));
  await artifact.verify();
  expect(artifact.sha256).toBe(book.sha256);
  const tokenizer = artifact.manifest.parts.find(({ path }) => path === 'tokenizer.json');
  expect(tokenizer?.sha256).toBe(book.tokenizerSha256);
  expect(readdirSync(join(home, 'data-sampler'))).toEqual([]);
});

test('progress is reported, then the dataset; the same request gives it again, another one does not', async () => {
  const sources = [{ object: await upload(story, 'again.txt') }];
  const request = { requestId: 'once', name: 'again', ...text, sources };
  const { dataset, phases } = await createWith(request);
  expect(phases).toEqual(['reading', 'storing']);
  expect(await create(request)).toEqual(dataset);
  await expect(create({ ...request, seed: 9 })).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  expect((await create({ ...request, requestId: '' })).ref?.version).toBe('v2');
});

test('a request that is sent twice at once makes one dataset, and dataset.committed is said once', async () => {
  const heard: StrataEvent[] = [];
  const subscription = await platform.events.subscribe({
    durable: 'test',
    subjects: ['strata.dataset.committed'],
    from: 'new',
    handler: async (event) => void heard.push(event),
  });
  const request = { requestId: 'twice', name: 'twice', ...text, sources: [{ object: await upload(story, 'b.txt') }] };
  const made = await Promise.all([create(request), create(request), create(request)]);
  expect(new Set(made.map(({ sha256 }) => sha256)).size).toBe(1);
  expect(made[0]?.ref).toEqual({ name: 'twice', version: 'v1' });
  while (heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await new Promise((resolve) => setTimeout(resolve, 300));
  await subscription.stop();
  expect(heard.map(({ data }) => data)).toEqual([
    { dataset: made[0]?.ref, prefix: 'datasets/twice/v1', sha256: made[0]?.sha256 },
  ]);
});

test('the server answers while it ingests, and a caller who leaves stops it', async () => {
  const large = Array.from({ length: 300_000 }, (_, i) => JSON.stringify({ text: `document number ${i}` })).join('\n');
  const sources = [{ object: await upload(large, 'large.jsonl') }];
  const leave = new AbortController();
  let answers = 0;
  const reading = (async () => {
    for await (const { event } of client.createDataset(
      { name: 'large', ...text, sources, tokenizer: { name: 'gpt2' } },
      { signal: leave.signal },
    )) {
      if (event?.$case !== 'progress' || event.value.phase !== 'reading') continue;
      await client.getDataset({ dataset: { name: 'book' } });
      answers++;
      if (event.value.done > 2_000_000) leave.abort();
    }
  })();
  await expect(reading).rejects.toThrow();
  expect(answers).toBeGreaterThan(1);
  await expect(client.getDataset({ dataset: { name: 'large' } })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  while (readdirSync(join(home, 'data-sampler')).length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
});

test("a model's own tokenizer and the built-in one are found", async () => {
  const ofModel = await makeFrom(story, 'm.txt', {
    name: 'for-model',
    ...text,
    tokenizer: { name: 'model:assistant' },
  });
  expect(ofModel).toMatchObject({
    tokenizer: { name: 'model:assistant', version: 'v3' },
    tokenizerSha256: book.tokenizerSha256,
  });
  const builtIn = await makeFrom(story, 'g.txt', { name: 'for-gpt2', ...text, tokenizer: { name: 'gpt2' } });
  const gpt2 = createGpt2Tokenizer();
  expect(builtIn).toMatchObject({ tokenizer: { name: 'gpt2', version: 'v1' }, vocabSize: 50257 });
  expect(builtIn.splits[0]?.tokens).toBe(gpt2.encode(story.slice(0, Math.floor(0.9 * story.length))).length);
});

test('an inbox file without an ending is told by what it looks like; a source can name its part', async () => {
  const [training, held] = ['ham\thello\nspam\twin\nham\tyes\n', 'ham\tno\nspam\tfree\nham\tok\n'];
  const put = async (content: string, name: string) => {
    const key = objectKeys.label('spam', 'a'.repeat(64), name);
    const { sizeBytes, sha256 } = await platform.objects.put(key, Buffer.from(content));
    return { key, sizeBytes, sha256 };
  };
  const sources = [
    { object: await put(training, 'Collection') },
    { object: await put(held, 'Held'), split: Split.SPLIT_TEST },
  ];
  const dataset = await create({ name: 'sms', ...labelled, sources });
  expect(dataset.splits.map(({ split, documents }) => [split, documents])).toEqual([
    [Split.SPLIT_TRAIN, 3],
    [Split.SPLIT_TEST, 3],
  ]);
});

test('what was left out is counted by reason, the first ones with file and line', async () => {
  const rows = '{"text":"a","label":"x"}\nnonsense\n{"text":"a","label":"x"}\n{"text":"","label":"x"}\n';
  const dataset = await makeFrom(rows, 'dirty.jsonl', { name: 'dirty', ...labelled, validationShare: 0 });
  expect(dataset.dropped).toEqual({ invalid_json: 1, duplicate: 1, empty: 1 });
  expect(dataset.droppedRows).toContainEqual({ reason: 'invalid_json', source: 'dirty.jsonl', line: 2 });
});

test('an empty request names every field that is missing', async () => {
  const refused = await create({ tokenizer: charsRef }).catch((error) => error);
  expect(refused.code).toBe('INVALID_ARGUMENT');
  expect(refused.violations.map(({ field }: { field: string }) => field)).toEqual(['name', 'kind', 'sources']);
});

const random = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i * 7919 + 31 * i) % 256));
test.each<[string, string | Uint8Array, string, Request, string, RegExp]>([
  ['an empty file', '', 'e.txt', text, 'sources', /no data in e\.txt: there is nothing in them/],
  ['binary garbage', random, 'noise.txt', text, 'sources', /noise\.txt holds binary data/],
  ['invalid UTF-8', Buffer.from([97, 10, 98, 0xff]), 'l.txt', text, 'sources', /l\.txt line 2 is not UTF-8/],
  [
    'only bad rows',
    'x\ny\n',
    'bad.jsonl',
    text,
    'sources',
    /all was left out: invalid_json 2 \(first: bad\.jsonl line 1\)/,
  ],
  [
    'an unknown column',
    'a,b\n1,2\n',
    'c.csv',
    { ...labelled, columns: { text: 'body' } },
    'columns',
    /has no column "body" \(text\); it has "a", "b"/,
  ],
  [
    'an unknown role',
    'a,b\n1,2\n',
    'c.csv',
    { ...labelled, columns: { words: 'a' } },
    'columns',
    /keys other than text, label/,
  ],
  [
    'no validation rows',
    '{"text":"a"}\n',
    'v.jsonl',
    { ...text, validationShare: 1e-6 },
    'validation_share',
    /fell to validation/,
  ],
  [
    'shares above 1',
    'text',
    's.txt',
    { ...text, validationShare: 0.6, testShare: 0.6 },
    'test_share',
    /more than what validation leaves/,
  ],
  [
    'an unknown tokenizer',
    'text',
    't.txt',
    { ...text, tokenizer: { name: 'nobody' } },
    'tokenizer',
    /there is no tokenizer "nobody"/,
  ],
  [
    "an unknown model's tokenizer",
    'text',
    't.txt',
    { ...text, tokenizer: { name: 'model:nobody' } },
    'tokenizer',
    /model "nobody" does not exist/,
  ],
  [
    'characters the vocabulary lacks',
    'caf\u00e9',
    'u.txt',
    { ...text, validationShare: 0 },
    'tokenizer',
    /u\.txt line 1: character "é".*train one on these texts/,
  ],
  [
    'a chat without template',
    '{"instruction":"a","output":"b"}',
    'i.jsonl',
    { ...instructions, tokenizer: { name: 'gpt2' } },
    'tokenizer',
    /no chat template/,
  ],
  ['an unknown format', 'text', 'f.txt', { ...labelled }, 'sources', /give its format/],
])('%s is INVALID_ARGUMENT, with field and remedy', async (_, content, filename, request, field, message) => {
  const refused = await makeFrom(content, filename, { name: 'refused', ...request }).catch((error) => error);
  expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT', violations: [{ field }] });
  expect(refused.message).toMatch(message);
  await expect(client.getDataset({ dataset: { name: 'refused' } })).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a source that is not there, or not what its hash says, is refused', async () => {
  const object = await upload(story, 's.txt');
  const missing = create({ name: 'x', ...text, sources: [{ object: { key: 'uploads/none/s.txt' } }] });
  await expect(missing).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    violations: [{ field: 'sources[0].object' }],
  });
  const altered = create({ name: 'x', ...text, sources: [{ object: { ...object, sha256: 'f'.repeat(64) } }] });
  await expect(altered).rejects.toMatchObject({ violations: [{ field: 'sources[0].object.sha256' }] });
  const told = create({ name: 'x', ...text, sources: [{ object: { key: 'uploads/none/s.txt', sizeBytes: 7 } }] });
  await expect(told).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining('uploads/none/s.txt'),
  });
});

test('datasets survive a restart; what was reserved but not finished stays unseen and is finished by asking again', async () => {
  const sources = [{ object: await upload(story, 'r.txt') }];
  const request = { requestId: 'restart', name: 'restart', ...text, sources };
  const dataset = await create(request);
  // As if the process had died after the manifest and before the state.
  await platform.state.put('datasets.restart', {
    name: 'restart',
    versions: (await platform.state.get<{ versions: object[] }>('datasets.restart'))?.value.versions.map((version) => ({
      ...version,
      made: undefined,
      isAnnounced: false,
    })),
  });
  await stopService();
  await startService();
  expect((await client.getDataset({ dataset: { name: 'book' } })).dataset).toEqual(book);
  await expect(client.getDataset({ dataset: { name: 'restart' } })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect((await create({ ...request, requestId: 'other' })).ref?.version).toBe('v2');
  expect(await create(request)).toEqual(dataset);
});
