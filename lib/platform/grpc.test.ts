import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';
import { afterEach, expect, test } from '@jest/globals';
import { createChannel, createClient } from 'nice-grpc';
import { HealthDefinition } from 'nice-grpc-server-health';
import { ServerReflectionService } from 'nice-grpc-server-reflection';
import {
  TokenizerServiceDefinition,
  type TokenizerServiceImplementation,
} from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
import { check } from './check.ts';
import { AppError, notFound } from './errors.ts';
import { type Connection, connect } from './grpc-client.ts';
import { type GrpcServer, implement, type ServeOptions, serveGrpc } from './grpc-server.ts';
import { createLogger } from './log.ts';

type Handlers = Partial<TokenizerServiceImplementation>;
const lines: string[] = [];
const log = createLogger({
  service: 'tokenizer',
  destination: { write: (line) => void lines.push(line) },
});
const open: { stop?(): Promise<void>; close?(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await (each.stop?.() ?? each.close?.());
  lines.length = 0;
});

async function serve(handlers: Handlers, options: Partial<ServeOptions> = {}): Promise<GrpcServer> {
  const unimplemented = new Proxy(handlers, {
    get: (target, name) =>
      target[name as keyof Handlers] ??
      (async () => {
        throw new AppError('UNIMPLEMENTED', String(name));
      }),
  });
  const implementation = unimplemented as TokenizerServiceImplementation;
  const services = [implement(TokenizerServiceDefinition, implementation)];
  const server = await serveGrpc({ services, bind: '127.0.0.1', port: 0, log, drainMs: 200, ...options });
  open.push(server);
  return server;
}

async function serveAndConnect(handlers: Handlers, options: Partial<ServeOptions> = {}) {
  const server = await serve(handlers, options);
  const connection = connect(TokenizerServiceDefinition, server.address);
  open.push(connection);
  return { server, client: connection.client };
}

const healthOf = async (address: string, service: string): Promise<number> => {
  const channel = createChannel(address);
  const { status } = await createClient(HealthDefinition, channel).check({ service });
  channel.close();
  return status;
};
const serving = 1;
const notServing = 2;

test('a call goes there and back', async () => {
  const { client } = await serveAndConnect({ countTokens: async ({ text }) => ({ count: text.length }) });
  expect(await client.countTokens({ text: 'hello' })).toEqual({ count: 5 });
});

test("the machine's proxy is not asked", async () => {
  process.env.http_proxy = 'http://127.0.0.1:1';
  try {
    const { client } = await serveAndConnect({ countTokens: async () => ({ count: 1 }) });
    expect(await client.countTokens({})).toEqual({ count: 1 });
  } finally {
    delete process.env.http_proxy;
  }
});

test('a bad request names every wrong field, and the caller reads them', async () => {
  const { client } = await serveAndConnect({
    async countTokens({ text, tokenizer }) {
      check({ text: !text && 'must not be empty', tokenizer: !tokenizer && 'is required' });
      return { count: 0 };
    },
  });
  await expect(client.countTokens({})).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: 'text: must not be empty; tokenizer: is required',
    violations: [
      { field: 'text', description: 'must not be empty' },
      { field: 'tokenizer', description: 'is required' },
    ],
  });
});

test('a bug becomes INTERNAL without its text; the log has the stack', async () => {
  const { client } = await serveAndConnect({
    countTokens: async () => {
      throw new TypeError('password is hunter2');
    },
  });
  const error = await client.countTokens({}).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'INTERNAL', message: 'internal error; the service log has the details' });
  const line = lines.map((text) => JSON.parse(text)).find(({ code }) => code === 'INTERNAL');
  expect(line).toMatchObject({ level: 'error', method: '/strata.tokenizer.v1.TokenizerService/CountTokens' });
  expect(line.error.stack).toContain('TypeError: password is hunter2');
});

test('an error in the middle of a stream arrives after what was sent', async () => {
  const { client } = await serveAndConnect({
    async *decodeStream() {
      yield { text: 'a' };
      throw notFound('tokenizer', 'x');
    },
  });
  const seen: string[] = [];
  const read = async () => {
    for await (const { text } of client.decodeStream((async function* () {})())) seen.push(text);
  };
  await expect(read()).rejects.toMatchObject({ code: 'NOT_FOUND', message: 'tokenizer "x" does not exist' });
  expect(seen).toEqual(['a']);
});

test("the caller's abort and its deadline both reach the handler's signal", async () => {
  const begun = Promise.withResolvers<void>();
  let reached = Promise.withResolvers<void>();
  const { client } = await serveAndConnect({
    async countTokens(_, { signal }) {
      signal.addEventListener('abort', () => reached.resolve());
      begun.resolve();
      await delay(10_000, undefined, { signal });
      return { count: 0 };
    },
  });
  const abort = new AbortController();
  const left = client.countTokens({}, { signal: abort.signal });
  await begun.promise;
  abort.abort();
  await expect(left).rejects.toMatchObject({ name: 'AbortError' });
  await reached.promise;
  reached = Promise.withResolvers<void>();
  await expect(client.countTokens({}, { deadlineMs: 1000 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  await reached.promise;
});

test("a foreign client's gRPC deadline reaches the handler's signal too", async () => {
  const aborted = Promise.withResolvers<void>();
  const { address } = await serve({
    async countTokens(_, { signal }) {
      signal.addEventListener('abort', () => aborted.resolve());
      await delay(10_000, undefined, { signal });
      return { count: 0 };
    },
  });
  const client = new Client(address, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = {
    path: '/strata.tokenizer.v1.TokenizerService/CountTokens',
    requestSerialize: () => Buffer.alloc(0),
    responseDeserialize: (bytes: Buffer) => bytes,
  };
  const failed = Promise.withResolvers<{ code: number }>();
  client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, { deadline: Date.now() + 1000 }, (error) =>
    failed.resolve(error as { code: number }),
  );
  expect((await failed.promise).code).toBe(4);
  await aborted.promise;
  client.close();
});

test('liveness is there at once, readiness when the service says so, and goes with setServing', async () => {
  const ready = Promise.withResolvers<void>();
  const { address, setServing } = await serve({}, { ready: ready.promise });
  const name = TokenizerServiceDefinition.fullName;
  expect([await healthOf(address, ''), await healthOf(address, name)]).toEqual([serving, notServing]);
  ready.resolve();
  await delay(1);
  expect(await healthOf(address, name)).toBe(serving);
  setServing(false);
  expect(await healthOf(address, name)).toBe(notServing);
});

test('reflection lists the service', async () => {
  const { address } = await serve({});
  const client = new Client(address, credentials.createInsecure());
  const method = ServerReflectionService.serverReflectionInfo;
  const call = client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize);
  const { ServerReflectionRequest } = await import(
    'nice-grpc-server-reflection/lib/proto/grpc/reflection/v1/reflection_pb.js'
  );
  const request = new ServerReflectionRequest();
  request.setListServices('');
  call.write(request);
  const [response] = await once(call, 'data');
  call.end();
  const { serviceList } = response.getListServicesResponse().toObject();
  expect(serviceList).toContainEqual({ name: TokenizerServiceDefinition.fullName });
  client.close();
});

test('stop lets a call finish within the drain time, then runs onStop once', async () => {
  let stops = 0;
  const begun = Promise.withResolvers<void>();
  const { server, client } = await serveAndConnect(
    {
      async countTokens() {
        begun.resolve();
        await delay(50);
        return { count: 1 };
      },
    },
    { onStop: async () => stops++ },
  );
  const call = client.countTokens({});
  await begun.promise;
  await Promise.all([server.stop(), server.stop()]);
  expect(await call).toEqual({ count: 1 });
  expect(stops).toBe(1);
});

test('a call that outlasts the drain time is ended', async () => {
  const begun = Promise.withResolvers<void>();
  const { server, client } = await serveAndConnect({
    async countTokens(_, { signal }) {
      begun.resolve();
      await delay(120_000, undefined, { signal });
      return { count: 1 };
    },
  });
  const call = client.countTokens({}, {}).catch((error) => error.code);
  await begun.promise;
  await server.stop(); // returns, though the handler would go on for a minute
  expect(['CANCELLED', 'UNAVAILABLE']).toContain(await call);
});

test('a port in use is named, with the setting that changes it', async () => {
  const { port } = await serve({});
  await expect(serve({}, { port })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(
      new RegExp(`cannot listen on 127.0.0.1:${port}: another program listens there; set STRATA_TOKENIZER_PORT`),
    ),
  });
});

test('an idempotent call waits for a service that comes late; another one fails at once, naming the address', async () => {
  const first = await serve({});
  const { port } = first;
  await first.stop();
  const connection: Connection<typeof TokenizerServiceDefinition> = connect(
    TokenizerServiceDefinition,
    `127.0.0.1:${port}`,
  );
  open.push(connection);
  const { client } = connection;
  await expect(client.countTokens({})).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining(`127.0.0.1:${port} cannot be reached`),
  });
  const list = client.listTokenizers({});
  await delay(100);
  await serve({ listTokenizers: async () => ({ tokenizers: [] }) }, { port });
  expect(await list).toEqual({ tokenizers: [] });
});

test('a message beyond the limit is refused with RESOURCE_EXHAUSTED', async () => {
  const { client } = await serveAndConnect({ decode: async () => ({ text: '' }) });
  const call = client.decode({ ids: Buffer.alloc(65 * 1024 * 1024) });
  await expect(call).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
});

test('clients are asked to connect anew every now and then: no call fails for it, and a stream goes on to its end', async () => {
  const peers = new Set<string>();
  const handlers: Handlers = {
    countTokens: async (_, { peer }) => ({ count: peers.add(peer).size }),
    async *trainTokenizer() {
      for (let done = 1; done <= 20; done++) {
        yield { event: { $case: 'progress', value: { phase: '', done, total: 20, unit: '', remainingSeconds: 0 } } };
        await delay(50);
      }
    },
  };
  const { client } = await serveAndConnect(handlers, { maxConnectionAgeMs: 200 });
  let last = 0;
  let isStreaming = true;
  const streaming = (async () => {
    for await (const { event } of client.trainTokenizer({})) if (event?.$case === 'progress') last = event.value.done;
    isStreaming = false;
  })();
  for (; isStreaming || peers.size < 2; await delay(5)) await client.countTokens({ text: 'a' });
  await streaming;
  expect(last).toBe(20);
  expect(peers.size).toBeGreaterThan(1);
});

test('a server that stops waits for a stream whose connection has come of age', async () => {
  const handlers: Handlers = {
    countTokens: async () => ({ count: 1 }),
    async *trainTokenizer() {
      for (let done = 1; done <= 30; done++) {
        yield { event: { $case: 'progress', value: { phase: '', done, total: 30, unit: '', remainingSeconds: 0 } } };
        await delay(50);
      }
    },
  };
  const { server, client } = await serveAndConnect(handlers, { maxConnectionAgeMs: 300, drainMs: 5000 });
  let last = 0;
  const streaming = (async () => {
    for await (const { event } of client.trainTokenizer({})) if (event?.$case === 'progress') last = event.value.done;
  })();
  await delay(600);
  await client.countTokens({ text: 'a' });
  await server.stop();
  await streaming;
  expect(last).toBe(30);
});

test('a server that stops sends its clients away while it still listens: none is refused before it finds another', async () => {
  const peers: string[] = [];
  const handlers: Handlers = { countTokens: async (_, { peer }) => ({ count: peers.push(peer) }) };
  const { server, client } = await serveAndConnect(handlers, { maxConnectionAgeMs: 60_000, drainMs: 5000 });
  await client.countTokens({ text: 'a' });
  const stopping = server.stop();
  await delay(200);
  await client.countTokens({ text: 'a' });
  await stopping;
  expect(new Set(peers).size).toBe(2);
});
