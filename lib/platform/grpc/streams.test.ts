// Streams in both directions over a real connection: who waits for whom, and who ends what.
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { Metadata } from 'nice-grpc-common';
import {
  DataSamplerServiceDefinition,
  type DataSamplerServiceImplementation,
} from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { AppError } from '../errors.ts';
import { connect } from '../grpc-client.ts';
import { implement, serveGrpc } from '../grpc-server.ts';
import { createLogger } from '../log.ts';

const log = createLogger({ service: 'test', level: 'silent' });
const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function start(handlers: Partial<DataSamplerServiceImplementation>) {
  const services = [implement(DataSamplerServiceDefinition, handlers as DataSamplerServiceImplementation)];
  const server = await serveGrpc({ services, bind: '127.0.0.1', port: 0, log, drainMs: 100 });
  open.push(() => server.stop());
  const connection = connect(DataSamplerServiceDefinition, server.address);
  open.push(() => connection.close());
  return connection.client;
}

const chunk = (bytes: number) => ({ part: { $case: 'chunk' as const, value: Buffer.alloc(bytes) } });
const source = { key: 'k', sizeBytes: 1, sha256: '' };
const batch = (firstSample: number, bytes = 1) => ({ firstSample, inputIds: Buffer.alloc(bytes) });

test('a server may answer before it has read everything: the rest is not asked for', async () => {
  const client = await start({
    async uploadSource(messages) {
      for await (const _ of messages) return { source };
      return {};
    },
  });
  let made = 0;
  let isLetGo = false;
  async function* endless() {
    try {
      for (;;) {
        made += 1;
        yield chunk(1000);
        await delay(1);
      }
    } finally {
      isLetGo = true;
    }
  }
  expect(await client.uploadSource(endless())).toEqual({ source });
  await delay(50);
  expect(isLetGo).toBe(true);
  expect(made).toBeLessThan(1000);
});

test("what the caller's own messages fail with is what the call fails with, and the handler does not take it for the end", async () => {
  const told = Promise.withResolvers<unknown>();
  const client = await start({
    async uploadSource(messages, { signal }) {
      try {
        for await (const _ of messages);
        return { source };
      } catch (error) {
        told.resolve([(error as Error).name, signal.aborted]);
        throw error;
      }
    },
  });
  async function* broken() {
    yield chunk(1);
    await delay(100); // until it is there
    throw new RangeError('the file is gone');
  }
  await expect(client.uploadSource(broken())).rejects.toMatchObject({
    name: 'RangeError',
    message: 'the file is gone',
  });
  expect(await told.promise).toEqual(['AbortError', true]);
});

test('a reader that leaves ends the handler, at its next message', async () => {
  const left = Promise.withResolvers<number>();
  const client = await start({
    async *streamBatches(_, { signal }) {
      let sent = 0;
      try {
        for (; !signal.aborted; sent++) {
          yield batch(sent);
          await delay(1);
        }
      } finally {
        left.resolve(sent);
      }
    },
  });
  for await (const { firstSample } of client.streamBatches({})) if (firstSample === 3) break;
  expect(await left.promise).toBeLessThan(1000);
});

test('a slow reader holds the sender back, and gets everything in order', async () => {
  let sent = 0;
  const client = await start({
    async *streamBatches() {
      for (; sent < 400; sent++) yield batch(sent, 64 * 1024);
    },
  });
  const seen: number[] = [];
  for await (const { firstSample } of client.streamBatches({})) {
    seen.push(firstSample);
    if (seen.length === 1) await delay(300);
    if (seen.length === 1) expect(sent).toBeLessThan(300);
  }
  expect(seen).toEqual(Array.from({ length: 400 }, (_, i) => i));
});

test('a stream that fails while its reader is slow: what came is told once and in order, then the error', async () => {
  const client = await start({
    async *streamBatches() {
      for (let sample = 0; sample < 300; sample++) yield batch(sample);
      throw new AppError('ABORTED', 'enough');
    },
  });
  const seen: number[] = [];
  const reading = (async () => {
    for await (const { firstSample } of client.streamBatches({})) {
      if (seen.push(firstSample) === 1) await delay(300);
    }
  })();
  await expect(reading).rejects.toMatchObject({ code: 'ABORTED' });
  expect(seen.length).toBeGreaterThan(64);
  expect(seen).toEqual(seen.map((_, index) => index));
});

test('a stream has no deadline but one that is given, and its abort names itself', async () => {
  const client = await start({
    async *streamBatches(_, { signal }) {
      yield batch(0);
      await delay(10_000, undefined, { signal });
    },
  });
  const read = async (options: object) => {
    for await (const _ of client.streamBatches({}, options));
  };
  await expect(read({ deadlineMs: 50 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  await expect(read({ signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: 'AbortError' });
  await expect(read({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
});

test('metadata goes there, header and trailer come back', async () => {
  const client = await start({
    async getDataset(_, { metadata, header, trailer }) {
      header.set('x-asked', metadata.get('x-ask') ?? '');
      trailer.set('x-end', 'yes');
      return {};
    },
  });
  const seen: unknown[] = [];
  await client.getDataset(
    {},
    {
      metadata: Metadata({ 'x-ask': 'why' }),
      onHeader: (header) => seen.push(header.get('x-asked')),
      onTrailer: (trailer) => seen.push(trailer.get('x-end')),
    },
  );
  await delay(10);
  expect(seen).toEqual(['why', 'yes']);
});
