import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { describeWithMinio } from '../../../tests/support/describe-with-minio.ts';
import { type FaultyNetwork, startFaultyNetwork } from './faulty-network.fixture.ts';
import { partBytes } from './parts.ts';
import { chunksOf, useMinio } from './store.fixture.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const impatient = { STRATA_S3_PATIENCE_MS: '500' };

describeWithMinio('S3: what goes wrong', () => {
  const { openStore, minio } = useMinio();
  const large = randomBytes(2 * partBytes + 1000);
  const networks: FaultyNetwork[] = [];
  afterEach(async () => {
    for (const network of networks.splice(0)) await network.close();
  });
  const openNetwork = async (): Promise<FaultyNetwork> => {
    const network = await startFaultyNetwork(minio().endpoint);
    networks.push(network);
    return network;
  };
  const through = (network: FaultyNetwork, env = {}) => ({ env: { ...env, STRATA_S3_ENDPOINT: network.address } });

  test.each([
    ['an unknown key', { STRATA_S3_ACCESS_KEY: 'nobody' }],
    ['a wrong secret', { STRATA_S3_SECRET_KEY: 'wrong-secret' }],
  ])('%s is UNAUTHENTICATED and says which settings to check', async (_, env) => {
    await expect(openStore({ env })).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringMatching(/127\.0\.0\.1:\d+ does not accept our key .*STRATA_S3_SECRET_KEY/),
    });
  });

  test('no keys at all are told before anything is asked', async () => {
    await expect(openStore({ env: { STRATA_S3_SECRET_KEY: '' } })).rejects.toThrow(
      'STRATA_OBJECT_STORE=s3 needs STRATA_S3_ACCESS_KEY and STRATA_S3_SECRET_KEY',
    );
  });

  test('a store that is away is UNAVAILABLE, with its address', async () => {
    const env = { ...impatient, STRATA_S3_ENDPOINT: 'http://127.0.0.1:9' };
    await expect(openStore({ env })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('http://127.0.0.1:9 does not answer (ECONNREFUSED)'),
    });
  });

  test('https to a server that speaks http is told as such', async () => {
    const env = { ...impatient, STRATA_S3_ENDPOINT: minio().endpoint.replace('http:', 'https:') };
    await expect(openStore({ env })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('http instead of https'),
    });
  });

  test('MinIO dies in the middle of an upload and comes back: the object is whole', async () => {
    const store = await openStore();
    let restarted: Promise<void> | undefined;
    async function* body(): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunksOf(large, 1 << 20)) {
        yield chunk;
        if (restarted) continue;
        await minio().kill();
        restarted = delay(300).then(() => minio().start());
      }
    }
    expect(await store.put('k', body())).toMatchObject({ sha256: sha256(large) });
    await restarted;
    expect(sha256(await store.get('k'))).toBe(sha256(large));
  });

  test('MinIO dies in the middle of a download and comes back: the reader gets every byte once', async () => {
    const store = await openStore();
    await store.put('k', large);
    const chunks: Uint8Array[] = [];
    let restarted: Promise<void> | undefined;
    for await (const chunk of store.getStream('k')) {
      chunks.push(chunk);
      if (restarted) continue;
      await minio().kill();
      restarted = delay(300).then(() => minio().start());
    }
    await restarted;
    expect(sha256(Buffer.concat(chunks))).toBe(sha256(large));
  });

  test('a download that is cut goes on where it was; one that is always cut fails, and gives no short object', async () => {
    const network = await openNetwork();
    const store = await openStore(through(network, { STRATA_S3_PATIENCE_MS: '1500' }));
    await store.put('k', large);
    let cuts = 0;
    network.onAnswer = (bytes, passed) => (passed > 1_000_000 && cuts++ < 3 ? undefined : bytes);
    expect(sha256(await store.get('k'))).toBe(sha256(large));
    expect(cuts).toBeGreaterThanOrEqual(3);
    network.onAnswer = (bytes, passed) => (passed > 400 ? undefined : bytes.subarray(0, 400));
    await expect(store.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('an object that is replaced while a broken download waits is not mixed with the old one', async () => {
    const network = await openNetwork();
    const bucket = `replaced-${randomUUID()}`;
    const [store, other] = [await openStore({ ...through(network), bucket }), await openStore({ bucket })];
    await store.put('k', large);
    network.onAnswer = (bytes, passed) => (passed > 1_000_000 ? undefined : bytes);
    const reading = store.getStream('k')[Symbol.asyncIterator]();
    await reading.next();
    await other.put('k', large.subarray(1));
    const readAll = async () => {
      while (!(await reading.next()).done);
    };
    await expect(readAll()).rejects.toMatchObject({
      code: 'ABORTED',
      message: expect.stringContaining('read it anew'),
    });
  });

  test('an answer that is lost after ifAbsent has won is no ALREADY_EXISTS', async () => {
    const network = await openNetwork();
    const store = await openStore(through(network));
    for (const [key, body] of [
      ['small', large.subarray(0, 1000)],
      ['large', large],
    ] as const) {
      let lost = 0;
      let isAsked = false;
      network.onRequest = (bytes) => {
        // The request that stores: a PUT of the whole, or the POST that puts parts together.
        isAsked ||= /^(PUT \S+\/small |POST \S+\?uploadId=)/.test(bytes.toString('latin1', 0, 300));
        return bytes;
      };
      network.onAnswer = (bytes) => (isAsked && lost++ === 0 ? undefined : bytes);
      expect(await store.put(key, body, { ifAbsent: true })).toMatchObject({ sha256: sha256(body) });
      expect(lost).toBeGreaterThan(1);
      await expect(store.put(key, body, { ifAbsent: true })).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    }
  });

  test('bytes that are damaged on their way are refused by the server and sent again', async () => {
    const network = await openNetwork();
    const store = await openStore(through(network));
    let damaged = 0;
    network.onRequest = (bytes, passed) => {
      if (passed < 500_000 || damaged++ > 0) return bytes;
      const other = Buffer.from(bytes);
      other[10] = (other[10] ?? 0) ^ 255;
      return other;
    };
    await store.put('k', large.subarray(0, 2_000_000));
    expect(damaged).toBeGreaterThan(1);
    network.onRequest = (bytes) => bytes;
    expect(sha256(await store.get('k'))).toBe(sha256(large.subarray(0, 2_000_000)));
  });
});
