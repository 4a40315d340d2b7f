import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openObjectStore } from './embedded/object-store.ts';
import type { ObjectStore } from './object-store.ts';
import { receiveUpload, type UploadMessage, uploadFile } from './upload.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-uploads-'));
const spoolFolder = join(folder, 'spool');
mkdirSync(spoolFolder);
let store: ObjectStore;
beforeAll(async () => {
  store = await openObjectStore(join(folder, 'objects'));
});
afterAll(() => rm(folder, { recursive: true }));

const content = Buffer.from('ham\tOk lar...\n'.repeat(10));
const sha256 = createHash('sha256').update(content).digest('hex');
const key = `uploads/${sha256}/sms.tsv`;

async function* messages(header: object, ...chunks: Uint8Array[]): AsyncGenerator<UploadMessage> {
  yield { part: { $case: 'header', value: { filename: 'sms.tsv', sizeBytes: 0, sha256: '', owner: '', ...header } } };
  for (const value of chunks) yield { part: { $case: 'chunk', value } };
}
const halves = [content.subarray(0, 50), content.subarray(50)];
const spooled = () => readdir(spoolFolder);

test.each([
  ['nothing', {}],
  ['the size', { sizeBytes: content.length }],
  ['the hash', { sha256 }],
  ['both', { sizeBytes: content.length, sha256 }],
])('a file whose header says %s is kept under its hash', async (_, header) => {
  await store.deletePrefix('uploads');
  expect(await receiveUpload(store, messages(header, ...halves), { spoolFolder })).toEqual({
    key,
    sizeBytes: content.length,
    sha256,
  });
  expect(Buffer.from(await store.get(key)).equals(content)).toBe(true);
  expect(await spooled()).toEqual([]);
});

test('a local file travels whole, and twice is once', async () => {
  const path = join(folder, 'sms.tsv');
  await writeFile(path, content);
  await receiveUpload(store, uploadFile(path));
  expect(await receiveUpload(store, uploadFile(path))).toMatchObject({ key });
});

test.each<[string, object, Uint8Array[], string, RegExp]>([
  [
    'fewer bytes than announced',
    { sizeBytes: 1000 },
    halves,
    'header.size_bytes',
    /1000 bytes were announced, 140 came/,
  ],
  ['more bytes than announced', { sizeBytes: 60 }, halves, 'header.size_bytes', /60 bytes were announced, more came/],
  ['another hash', { sha256: '0'.repeat(64) }, halves, 'header.sha256', /0000 was announced/],
  ['a hash that is none', { sha256: 'ABC' }, halves, 'header.sha256', /64 lower-case/],
  ['a path as its name', { filename: '../../etc/passwd' }, halves, 'header.filename', /plain file name/],
  ['a hidden name', { filename: '.partial' }, halves, 'header.filename', /plain file name/],
  ['no name', { filename: '' }, halves, 'header.filename', /plain file name/],
  ['too many bytes', {}, [Buffer.alloc(2000)], 'header.size_bytes', /more than 1000 bytes/],
  ['too many bytes announced', { sizeBytes: 2000 }, [], 'header.size_bytes', /more than 1000 bytes/],
])('an upload with %s is refused, and nothing is stored', async (_, header, chunks, field, message) => {
  await store.deletePrefix('uploads');
  await expect(
    receiveUpload(store, messages(header, ...chunks), { maxBytes: 1000, spoolFolder }),
  ).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(message),
    violations: [{ field }],
  });
  for await (const object of store.list('uploads')) expect(object).toBeUndefined();
  expect(await spooled()).toEqual([]);
});

test('the header comes first, and once', async () => {
  const chunkFirst = (async function* (): AsyncGenerator<UploadMessage> {
    yield { part: { $case: 'chunk', value: content } };
  })();
  await expect(receiveUpload(store, chunkFirst)).rejects.toMatchObject({ violations: [{ field: 'header' }] });
  const empty = (async function* (): AsyncGenerator<UploadMessage> {})();
  await expect(receiveUpload(store, empty)).rejects.toMatchObject({ violations: [{ field: 'header' }] });
  const twice = (async function* (): AsyncGenerator<UploadMessage> {
    yield* messages({});
    yield* messages({});
  })();
  await expect(receiveUpload(store, twice)).rejects.toMatchObject({ violations: [{ field: 'chunk' }] });
});

test('an empty file is a file', async () => {
  expect(await receiveUpload(store, messages({ filename: 'empty' }))).toMatchObject({ sizeBytes: 0 });
});

test('a sender that breaks off leaves nothing', async () => {
  const breaking = (async function* (): AsyncGenerator<UploadMessage> {
    yield* messages({ filename: 'broken', sha256 }, halves[0] as Uint8Array);
    throw new Error('connection lost');
  })();
  await expect(receiveUpload(store, breaking)).rejects.toThrow('connection lost');
  expect(await store.head(`uploads/${sha256}/broken`)).toBeUndefined();
});

test("an owner's uploads lie apart, and an owner is no path", async () => {
  const { key } = await receiveUpload(store, messages({ owner: 'acme', sha256 }, content));
  expect(key).toBe(`uploads/acme/${sha256}/sms.tsv`);
  await expect(receiveUpload(store, messages({ owner: '../beta' }, content))).rejects.toMatchObject({
    violations: [{ field: 'header.owner' }],
  });
});
