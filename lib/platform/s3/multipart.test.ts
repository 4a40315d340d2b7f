import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { describeWithMinio } from '../../../tests/support/describe-with-minio.ts';
import { connectS3 } from './connection.ts';
import { partBytes } from './parts.ts';
import { chunksOf, useMinio } from './store.fixture.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describeWithMinio('S3: large objects go up in parts', () => {
  const { openStore, configOf } = useMinio();
  const large = randomBytes(3 * partBytes + 12_345);

  /** MinIO lists the unfinished uploads of one key only. */
  async function unfinishedUploads(bucket: string, key: string): Promise<number> {
    const { client, close } = connectS3(configOf({ bucket }));
    const { uploads } = await client.listIncompleteUploadsQuery(bucket, key, '', '', '');
    close();
    return uploads.length;
  }

  test('four parts come back as one, whole and in ranges across their borders', async () => {
    const bucket = `parts-${randomUUID()}`;
    const store = await openStore({ bucket });
    const expected = { key: 'a/large', sizeBytes: large.byteLength, sha256: sha256(large) };
    expect(await store.put('a/large', chunksOf(large, 1_000_003))).toEqual(expected);
    expect(sha256(await store.get('a/large'))).toBe(expected.sha256);
    const range = { offset: partBytes - 100, length: partBytes + 200 };
    const across = large.subarray(range.offset, range.offset + range.length);
    expect(sha256(await store.get('a/large', range))).toBe(sha256(across));
    expect(await unfinishedUploads(bucket, 'a/large')).toBe(0);
  });

  test.each([
    ['one byte less than a part', partBytes - 1],
    ['exactly one part', partBytes],
    ['exactly two parts', 2 * partBytes],
  ])('%s is stored as it is, from bytes and from a stream', async (_, size) => {
    const store = await openStore();
    const bytes = large.subarray(0, size);
    for (const body of [bytes, chunksOf(bytes, 300_007)]) {
      expect(await store.put('k', body)).toMatchObject({ sizeBytes: size, sha256: sha256(bytes) });
      expect(await store.head('k')).toMatchObject({ sizeBytes: size });
    }
  });

  test('chunks may be used again by whoever gave them', async () => {
    const store = await openStore();
    async function* reusing(): AsyncGenerator<Uint8Array> {
      const chunk = Buffer.alloc(100_000);
      for (let i = 0; i < 200; i++) yield chunk.fill(i);
    }
    await store.put('k', reusing());
    const bytes = await store.get('k');
    expect(Array.from({ length: 200 }, (_, i) => bytes[i * 100_000 + 99_999])).toEqual(
      Array.from({ length: 200 }, (_, i) => i),
    );
  });

  test.each(['abort', 'failure'] as const)('an %s in the middle leaves no object and no parts', async (how) => {
    const bucket = `abort-${randomUUID()}`;
    const store = await openStore({ bucket });
    const abort = new AbortController();
    async function* interrupted(): AsyncGenerator<Uint8Array> {
      yield* chunksOf(large, 1 << 20);
      if (how === 'failure') throw new Error('the network broke');
      abort.abort();
      yield large.subarray(0, 10);
    }
    const put = store.put('a/k', interrupted(), { signal: abort.signal });
    await expect(put).rejects.toMatchObject(
      how === 'abort' ? { name: 'AbortError' } : { message: 'the network broke' },
    );
    expect(await store.head('a/k')).toBeUndefined();
    expect(await unfinishedUploads(bucket, 'a/k')).toBe(0);
  });

  test('of two writers of large objects with ifAbsent exactly one wins, and the other leaves no parts', async () => {
    const bucket = `race-${randomUUID()}`;
    const stores = [await openStore({ bucket }), await openStore({ bucket })];
    const bodies = [large.subarray(0, 2 * partBytes), large.subarray(100, 2 * partBytes + 100)];
    const puts = stores.map((store, i) => store.put('k', chunksOf(bodies[i] ?? large, 1 << 20), { ifAbsent: true }));
    const results = await Promise.allSettled(puts);
    const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.sha256] : []));
    expect(winners).toEqual([sha256((await stores[0]?.get('k')) ?? large)]);
    expect(results.filter(({ status }) => status === 'rejected')).toMatchObject([
      { reason: { code: 'ALREADY_EXISTS' } },
    ]);
    expect(await unfinishedUploads(bucket, 'k')).toBe(0);
  });
});
