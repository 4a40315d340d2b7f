import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Authority, createAuthority } from '../../../tests/support/certificates.ts';
import { describeWithMinio } from '../../../tests/support/describe-with-minio.ts';
import { connectS3 } from './connection.ts';
import { ownPrefix } from './local-files.ts';
import { useMinio } from './store.fixture.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describeWithMinio('S3: opening a store', () => {
  const { openStore, minio, configOf } = useMinio();

  test('the bucket is made, with rules for what is temporary; rules of others stay', async () => {
    const bucket = `rules-${randomUUID()}`;
    await openStore({ bucket });
    const { client, close } = connectS3(configOf({ bucket }));
    const rules = async () => (await client.getBucketLifecycle(bucket))?.Rule ?? [];
    expect([await rules()].flat()).toMatchObject([
      { ID: 'strata-uploads', Expiration: { Days: 7 }, Status: 'Enabled' },
    ]);
    const other = { ID: 'archive', Status: 'Enabled', Filter: { Prefix: 'old/' }, Expiration: { Days: 90 } };
    await client.setBucketLifecycle(bucket, { Rule: [other] });
    await openStore({ bucket, env: { STRATA_UPLOADS_KEEP_DAYS: '3' } });
    expect(await rules()).toMatchObject([other, { ID: 'strata-uploads', Expiration: { Days: 3 } }]);
    close();
  });

  test('many open a new bucket at once', async () => {
    const bucket = `crowd-${randomUUID()}`;
    const stores = await Promise.all(Array.from({ length: 6 }, () => openStore({ bucket })));
    await stores[0]?.put('k', text('here'));
    expect(textOf((await stores[5]?.get('k')) ?? text(''))).toBe('here');
  });

  test('a bucket that is missing and may not be made is told, with what to do', async () => {
    // A store whose policy allows nothing but objects; making users is not part of S3.
    const strict = createServer((request, response) => {
      const [status, code] = request.method === 'GET' ? [404, 'NoSuchBucket'] : [403, 'AccessDenied'];
      response.writeHead(status).end(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => strict.once('listening', resolve));
    const endpoint = `http://127.0.0.1:${(strict.address() as AddressInfo).port}`;
    await expect(openStore({ bucket: 'missing', env: { STRATA_S3_ENDPOINT: endpoint } })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringMatching(/has no bucket "missing", and our key may not create it: create it/),
    });
    strict.close();
  });

  test('a lent file is gone after its loan, also where using it fails', async () => {
    const store = await openStore();
    await store.put('k', text('content'));
    const paths: string[] = [];
    const use = async (path: string): Promise<never> => {
      paths.push(path);
      throw new Error(await readFile(path, 'utf8'));
    };
    await expect(store.withLocalFile('k', use)).rejects.toThrow('content');
    expect(paths.filter(existsSync)).toEqual([]);
    await store.close();
    expect(existsSync(dirname(paths[0] ?? ''))).toBe(false);
  });

  test('opening removes the files that a killed process left, not those of a living one', async () => {
    const left = join(tmpdir(), `${ownPrefix}999999999_x_${randomUUID()}`);
    await mkdir(left);
    await writeFile(join(left, 'model'), 'half');
    const living = await openStore();
    await living.put('k', text('content'));
    await living.withLocalFile('k', async (path) => {
      await openStore();
      expect(existsSync(left)).toBe(false);
      expect(await readFile(path, 'utf8')).toBe('content');
    });
  });

  test('a download that fails leaves nothing', async () => {
    const store = await openStore();
    const folder = await mkdtemp(join(tmpdir(), 'strata-download-'));
    await expect(store.download('k', join(folder, 'mine'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await readdir(folder)).toEqual([]);
    await rm(folder, { recursive: true });
  });

  test('every key that the seam allows comes back from a listing as it was', async () => {
    const store = await openStore();
    const keys = ['123', '0001/1e5', 'a b/c+d', "q/!*'()@=,-_.x", 'q/(1) copy.txt', 'z/@41'].sort();
    for (const key of keys) await store.put(key, text(key));
    const listed: string[] = [];
    for await (const { key } of store.list('')) listed.push(key);
    expect(listed).toEqual(keys);
    for (const key of keys) expect(textOf(await store.get(key))).toBe(key);
    await store.deletePrefix('q');
    expect(await store.head('q/(1) copy.txt')).toBeUndefined();
    expect(await store.head('a b/c+d')).toMatchObject({ key: 'a b/c+d' });
  });

  test('more objects than a page holds are listed in order, each once, and deleted together', async () => {
    const store = await openStore();
    const keys = Array.from({ length: 1050 }, (_, i) => `many/${String(i).padStart(5, '0')}`);
    for (let i = 0; i < keys.length; i += 50) {
      await Promise.all(keys.slice(i, i + 50).map((key) => store.put(key, text(key))));
    }
    const listed: string[] = [];
    for await (const { key } of store.list('many')) listed.push(key);
    expect(listed).toEqual(keys);
    await store.deletePrefix('many');
    expect((await store.list('')[Symbol.asyncIterator]().next()).done).toBe(true);
  });

  test('a presigned URL puts and gets with plain HTTP, under the public name, and nothing else', async () => {
    const env = { STRATA_S3_PUBLIC_ENDPOINT: minio().endpoint.replace('127.0.0.1', 'localhost') };
    const store = await openStore({ env });
    const sign = async (method: 'GET' | 'PUT', key = 'a/k (1)', expiresSeconds = 60) =>
      (await store.presign?.({ key, method, expiresSeconds })) ?? '';
    const put = await sign('PUT');
    expect(put).toContain('http://localhost:');
    expect((await fetch(put, { method: 'PUT', body: 'by URL' })).status).toBe(200);
    expect(textOf(await store.get('a/k (1)'))).toBe('by URL');
    const get = await sign('GET');
    expect(await (await fetch(get)).text()).toBe('by URL');
    expect((await fetch(get, { method: 'DELETE' })).status).toBe(403);
    expect((await fetch(get.replace('a/k', 'a/x'))).status).toBe(403);
    expect((await fetch(get.replace('X-Amz-Expires=60', 'X-Amz-Expires=600'))).status).toBe(403);
  });

  test('a presigned URL expires', async () => {
    const store = await openStore();
    await store.put('k', text('content'));
    const url = (await store.presign?.({ key: 'k', method: 'GET', expiresSeconds: 1 })) ?? '';
    await delay(2100);
    expect((await fetch(url)).status).toBe(403);
  });
});

describeWithMinio('S3: TLS with an authority of its own', () => {
  let folder = '';
  let authority: Authority;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strata-s3-tls-'));
    authority = createAuthority(folder);
  });
  const { openStore } = useMinio(() => ({ authority }));
  afterAll(() => rm(folder, { recursive: true }));

  test('is trusted by its CA file, also for large objects and URLs', async () => {
    const store = await openStore();
    const bytes = Buffer.alloc(17 * 1024 * 1024, 'x');
    await store.put('k', bytes);
    expect(Buffer.compare(await store.get('k'), bytes)).toBe(0);
    expect(await store.presign?.({ key: 'k', method: 'GET', expiresSeconds: 60 })).toMatch(/^https:/);
  });

  test('is not trusted without, and the error names the setting', async () => {
    await expect(openStore({ env: { STRATA_S3_CA_FILE: '' } })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('STRATA_S3_CA_FILE'),
    });
    await expect(openStore({ env: { STRATA_S3_CA_FILE: join(folder, 'none') } })).rejects.toThrow(
      /STRATA_S3_CA_FILE: ENOENT/,
    );
  });
});
