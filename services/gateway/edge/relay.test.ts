// An upload that breaks off outside breaks off inside: no service takes half of it for the whole.
import { setTimeout as delay } from 'node:timers/promises';
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { expect, test } from '@jest/globals';
import {
  DataSamplerServiceDefinition,
  type DataSamplerServiceImplementation,
} from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { connect } from '#lib/platform/grpc-client.ts';
import { implement, serveGrpc } from '#lib/platform/grpc-server.ts';
import { createLogger } from '#lib/platform/log.ts';
import { type IncomingCall, relay } from './relay.ts';

const path = '/strata.data_sampler.v1.DataSamplerService/UploadSource';
const asIs = (bytes: Buffer): Buffer => bytes;

test('a caller who leaves in the middle of an upload has uploaded nothing', async () => {
  const ends: string[] = [];
  const implementation = {
    async uploadSource(messages) {
      const end = await read(messages).catch(({ name }) => name);
      ends.push(end);
      return { source: { key: 'k', sizeBytes: 1, sha256: '' } };
    },
  } as Partial<DataSamplerServiceImplementation> as DataSamplerServiceImplementation;
  const log = createLogger({ service: 'test', level: 'silent' });
  const services = [implement(DataSamplerServiceDefinition, implementation)];
  const inside = await serveGrpc({ services, bind: '127.0.0.1', port: 0, log, drainMs: 100 });
  const upstream = new Client(inside.address, credentials.createInsecure());
  const { outside, address } = await serveRelay(upstream);
  const { client, close } = connect(DataSamplerServiceDefinition, address);
  const leaving = new AbortController();
  async function* parts() {
    yield { part: { $case: 'chunk' as const, value: Buffer.alloc(10) } };
    await delay(200);
    if (leaving.signal.aborted) return;
    leaving.abort();
    await delay(100);
  }
  await expect(client.uploadSource(parts(), { signal: leaving.signal })).rejects.toMatchObject({ name: 'AbortError' });
  await client.uploadSource(parts());
  expect(ends).toEqual(['AbortError', 'whole']);
  await close();
  outside.forceShutdown();
  upstream.close();
  await inside.stop();
});

async function read(messages: AsyncIterable<unknown>): Promise<string> {
  for await (const _ of messages);
  return 'whole';
}

/** The relay alone, without a gatekeeper. */
async function serveRelay(client: Client) {
  const outside = new Server();
  const codec = {
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  outside.addService({ call: { path, requestStream: true, responseStream: true, ...codec } } as never, {
    call: (call: IncomingCall) => {
      const gone = new AbortController();
      call.once('cancelled', () => gone.abort());
      relay({ call, client, path, onRequest: asIs, onResponse: asIs, signal: gone.signal }).then(
        ({ metadata }) => call.end(metadata),
        () => undefined,
      );
    },
  });
  const port = await new Promise<number>((resolve) =>
    outside.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound)),
  );
  return { outside, address: `127.0.0.1:${port}` };
}
