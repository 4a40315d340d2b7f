// What every ObjectStore keeps to.
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { ObjectStore } from '../object-store.ts';
import { type CreateHarness, useHarness } from './harness.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const read = async (objects: ObjectStore, key: string, range = {}) =>
  new TextDecoder().decode(await objects.get(key, range));
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function keysBelow(objects: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of objects.list(prefix)) keys.push(key);
  return keys;
}

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += size) yield bytes.subarray(offset, offset + size);
}

export function describeObjectStore(name: string, create: CreateHarness): void {
  describe(`object store: ${name}`, () => {
    const { open, spawn } = useHarness(create);

    test('gives back what was put, from bytes or from a stream, with its size and SHA-256', async () => {
      const { objects } = await open();
      const bytes = new Uint8Array(3_000_000).map((_, i) => i * 7);
      const expected = { sizeBytes: bytes.byteLength, sha256: sha256(bytes) };
      expect(await objects.put('a/bytes', bytes)).toEqual({ key: 'a/bytes', ...expected });
      expect(await objects.put('a/stream', chunksOf(bytes, 100_003))).toEqual({ key: 'a/stream', ...expected });
      const other = (await open()).objects;
      expect(sha256(await other.get('a/bytes'))).toBe(expected.sha256);
      const chunks: Uint8Array[] = [];
      for await (const chunk of other.getStream('a/stream')) chunks.push(chunk);
      expect(sha256(Buffer.concat(chunks))).toBe(expected.sha256);
      expect(await other.head('a/stream')).toMatchObject({ key: 'a/stream', sizeBytes: bytes.byteLength });
    });

    test('an empty object is an object', async () => {
      const { objects } = await open();
      await objects.put('empty', new Uint8Array());
      expect(await objects.head('empty')).toMatchObject({ sizeBytes: 0 });
      expect(await read(objects, 'empty')).toBe('');
    });

    test('gives ranges, cut at the end; one that begins behind the end is OUT_OF_RANGE', async () => {
      const { objects } = await open();
      await objects.put('k', text('0123456789'));
      expect(await read(objects, 'k', { offset: 2, length: 3 })).toBe('234');
      expect(await read(objects, 'k', { offset: 8, length: 100 })).toBe('89');
      expect(await read(objects, 'k', { length: 2 })).toBe('01');
      const streamed: Uint8Array[] = [];
      for await (const chunk of objects.getStream('k', { offset: 5, length: 2 })) streamed.push(chunk);
      expect(Buffer.concat(streamed).toString()).toBe('56');
      await expect(objects.get('k', { offset: 11 })).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
    });

    test('what is not there: NOT_FOUND to get, undefined to head, no error to delete, nothing to list', async () => {
      const { objects } = await open();
      await expect(objects.get('x/y')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(objects.getStream('x/y')[Symbol.asyncIterator]().next()).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
      await expect(objects.withLocalFile('x/y', async () => 1)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      expect(await objects.head('x/y')).toBeUndefined();
      await objects.delete('x/y');
      await objects.deletePrefix('x');
      expect(await keysBelow(objects, 'x')).toEqual([]);
    });

    test('replaces, with a new etag; with ifAbsent it does not, and the first one stays', async () => {
      const { objects } = await open();
      await objects.put('k', text('one'));
      const { etag } = (await objects.head('k')) ?? {};
      await expect(objects.put('k', text('two'), { ifAbsent: true })).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
      expect(await read(objects, 'k')).toBe('one');
      await objects.put('k', text('two'));
      expect(await read(objects, 'k')).toBe('two');
      expect((await objects.head('k'))?.etag).not.toBe(etag);
    });

    test('of many writers with ifAbsent exactly one wins', async () => {
      const { objects } = await open();
      const puts = Array.from({ length: 8 }, (_, i) => objects.put('k', text(String(i)), { ifAbsent: true }));
      const results = await Promise.allSettled(puts);
      const winners = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [String(i)] : []));
      expect(winners).toEqual([await read(objects, 'k')]);
    });

    test('list gives everything below a folder, by key; `models/a` is not `models/ab`', async () => {
      const { objects } = await open();
      const keys = ['models/ab/x', 'models/a/y/z', 'models/a-b/x', 'models/a/x', 'runs/1'];
      for (const key of keys) await objects.put(key, text(key));
      expect(await keysBelow(objects, 'models/a')).toEqual(['models/a/x', 'models/a/y/z']);
      const models = ['models/a-b/x', 'models/a/x', 'models/a/y/z', 'models/ab/x'];
      expect(await keysBelow(objects, 'models/')).toEqual(models);
      expect(await keysBelow(objects, '')).toEqual([...models, 'runs/1']);
    });

    test('delete removes one object, deletePrefix a folder', async () => {
      const { objects } = await open();
      for (const key of ['a/1', 'a/2', 'ab/1', 'b/1']) await objects.put(key, text(key));
      await objects.delete('b/1');
      await objects.deletePrefix('a');
      expect(await keysBelow(objects, '')).toEqual(['ab/1']);
      await objects.put('a', text('a folder may become an object'));
      expect(await keysBelow(objects, '')).toEqual(['a', 'ab/1']);
    });

    test('keys that leave the store are refused', async () => {
      const { objects } = await open();
      for (const key of [
        '',
        '/etc/passwd',
        '../x',
        'a/../../x',
        'a//b',
        'a/',
        './a',
        'a\\b',
        'a\0b',
        `a/${'x'.repeat(300)}`,
      ]) {
        await expect(objects.put(key, text(''))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      }
    });

    test('a body that fails half way leaves nothing, or what was there', async () => {
      const { objects } = await open();
      async function* failing(): AsyncGenerator<Uint8Array> {
        yield text('half');
        throw new Error('the network broke');
      }
      await expect(objects.put('new', failing())).rejects.toThrow('the network broke');
      expect(await objects.head('new')).toBeUndefined();
      await objects.put('old', text('whole'));
      await expect(objects.put('old', failing())).rejects.toThrow('the network broke');
      expect(await read(objects, 'old')).toBe('whole');
      expect(await keysBelow(objects, '')).toEqual(['old']);
    });

    test('an abort ends a write, and nothing is stored', async () => {
      const { objects } = await open();
      const abort = new AbortController();
      async function* endless(): AsyncGenerator<Uint8Array> {
        for (let i = 0; ; i++) {
          if (i === 3) abort.abort();
          yield text('more');
        }
      }
      await expect(objects.put('k', endless(), { signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' });
      expect(await objects.head('k')).toBeUndefined();
    });

    test('lends a local file, and downloads to one of the caller', async () => {
      const { objects } = await open();
      await objects.put('k', text('content'));
      expect(await objects.withLocalFile('k', (path) => readFile(path, 'utf8'))).toBe('content');
      const folder = await mkdtemp(join(tmpdir(), 'strata-download-'));
      await objects.download('k', join(folder, 'mine'));
      await writeFile(join(folder, 'mine'), 'changed');
      expect(await read(objects, 'k')).toBe('content');
      await rm(folder, { recursive: true });
    });

    test('a reader sees the old object or the new one, whole, while they are replaced', async () => {
      const { objects } = await open();
      const other = (await open()).objects;
      const writing = (async () => {
        for (let i = 0; i < 40; i++) await objects.put('k', new Uint8Array(200_000 + i).fill(i));
      })();
      const seen = new Set<string>();
      for (let done = false; !done; ) {
        done = await Promise.race([
          writing.then(() => true),
          new Promise<false>((resolve) => setImmediate(resolve, false)),
        ]);
        const bytes = await other.get('k').catch(() => undefined);
        if (bytes) seen.add(`${bytes.byteLength - 200_000 === bytes[0]} ${bytes.every((byte) => byte === bytes[0])}`);
      }
      expect([...seen]).toEqual(['true true']);
    });

    test('a writer that is killed leaves whole objects only', async () => {
      const size = 4_000_000;
      const writer = await spawn('write', 'w', size);
      for (let i = 0; i < 3; i++) await writer.lines.next();
      await writer.kill();
      const { objects } = await open();
      const sizes: number[] = [];
      for await (const { key, sizeBytes } of objects.list('')) {
        const bytes = await objects.get(key);
        sizes.push(sizeBytes);
        expect(bytes.every((byte) => byte === bytes[0])).toBe(true);
      }
      expect(sizes.length).toBeGreaterThanOrEqual(3);
      expect(new Set(sizes)).toEqual(new Set([size]));
    });
  });
}
