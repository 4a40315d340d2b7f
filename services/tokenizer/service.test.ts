// The service as callers see it: a real server on a free port, real stores in a temporary home.
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ObjectRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import {
  SpecialTokens,
  type Tokenizer,
  TokenizerKind,
  TokenizerServiceDefinition,
  type TrainTokenizerRequest,
} from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
import { fromInt32Bytes, toInt32Bytes } from '#lib/contracts/int32.ts';
import { objectKeys } from '#lib/contracts/keys.ts';
import { type Connection, connect } from '#lib/platform/grpc-client.ts';
import type { GrpcServer } from '#lib/platform/grpc-server.ts';
import { createLogger } from '#lib/platform/log.ts';
import { openArtifact, writeArtifact } from '#lib/platform/manifest.ts';
import { openPlatform, type Platform } from '#lib/platform/platform.ts';
import type { RunningService } from '#lib/platform/run-service.ts';
import { noTelemetry } from '#lib/platform/telemetry.ts';
import { createGpt2Tokenizer } from '#lib/text/gpt2.ts';
import { readTokenizerFiles, writeTokenizerFiles } from '#lib/text/tokenizer-files.ts';
import { serveAssistant } from '../../tests/support/serve-assistant.ts';
import { loadConfig } from './config.ts';
import { start } from './main.ts';

const log = createLogger({ service: 'tokenizer', destination: { write: () => undefined } });
const gpt2 = { name: 'gpt2', version: '' };
const local = createGpt2Tokenizer();
let home: string;
let platform: Platform;
let service: RunningService;
let models: GrpcServer;
let connection: Connection<typeof TokenizerServiceDefinition>;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-tokenizer-'));
  models = await serveAssistant(log);
  const config = loadConfig({
    STRATA_HOME: home,
    STRATA_TOKENIZER_PORT: '0',
    STRATA_DRAIN_MS: '100',
    STRATA_TOKENIZER_MAX_LOADED: '2',
    STRATA_WEIGHT_LOADER_ADDRESS: models.address,
  });
  platform = await openPlatform(config);
  service = await start(config, { platform, log, connect, ...noTelemetry() });
  connection = connect(TokenizerServiceDefinition, service.address);
});

afterAll(async () => {
  await connection.close();
  await service.stop();
  await models.stop();
  await platform.close();
  await rm(home, { recursive: true });
});

const upload = async (text: string | Uint8Array, name = 'text.txt'): Promise<ObjectRef> => {
  const bytes = Buffer.from(text);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const key = objectKeys.upload(sha256, name);
  await platform.objects.put(key, bytes);
  return { key, sizeBytes: bytes.length, sha256 };
};

const sentences = Array.from({ length: 400 }, (_, i) => `The number ${i} is ${i % 2 ? 'odd' : 'even'}, they say.\n`);

const request = async (changes: Partial<TrainTokenizerRequest> = {}): Promise<TrainTokenizerRequest> => ({
  requestId: '',
  name: 'numbers',
  kind: TokenizerKind.TOKENIZER_KIND_BYTE_BPE,
  vocabSize: 320,
  sources: [await upload(sentences.join(''))],
  specialTokens: [],
  ...changes,
});

const train = async (wanted: TrainTokenizerRequest): Promise<{ tokenizer: Tokenizer; phases: string[] }> => {
  const phases = new Set<string>();
  for await (const { event } of connection.client.trainTokenizer(wanted)) {
    if (event?.$case === 'progress') phases.add(event.value.phase);
    if (event?.$case === 'tokenizer') return { tokenizer: event.value, phases: [...phases] };
  }
  throw new Error('the stream ended without a tokenizer');
};

const encode = async (ref: { name: string; version?: string }, text: string): Promise<number[]> =>
  Array.from(fromInt32Bytes((await connection.client.encode({ tokenizer: ref, text })).ids));

const streamed = async <T, O>(messages: T[], call: (messages: AsyncIterable<T>) => AsyncIterable<O>): Promise<O[]> => {
  async function* send(): AsyncGenerator<T> {
    yield* messages;
  }
  const received: O[] = [];
  for await (const message of call(send())) received.push(message);
  return received;
};

test('GPT-2 is there without anybody having registered it', async () => {
  const { client } = connection;
  expect(await encode(gpt2, 'Hello world')).toEqual([15496, 995]);
  expect(await client.decode({ tokenizer: gpt2, ids: toInt32Bytes([15496, 995]) })).toEqual({ text: 'Hello world' });
  expect(await client.countTokens({ tokenizer: gpt2, text: 'Hello world' })).toEqual({ count: 2 });
  const { tokenizer } = await client.getTokenizer({ tokenizer: gpt2 });
  expect(tokenizer).toMatchObject({
    ref: { name: 'gpt2', version: 'v1' },
    kind: TokenizerKind.TOKENIZER_KIND_BYTE_BPE,
    vocabSize: 50257,
    specialTokens: { '<|endoftext|>': 50256 },
  });
  const artifact = await openArtifact(platform.objects, 'tokenizers/gpt2/v1');
  expect(
    createHash('sha256')
      .update(await artifact.read('tokenizer.json'))
      .digest('hex'),
  ).toBe(tokenizer?.sha256);
});

test('special tokens are text unless the request says otherwise', async () => {
  const { client } = connection;
  const text = 'a<|endoftext|>';
  const idsWith = async (specialTokens: SpecialTokens) =>
    Array.from(fromInt32Bytes((await client.encode({ tokenizer: gpt2, text, specialTokens })).ids));
  expect(await encode(gpt2, text)).toEqual(Array.from(local.encode(text)));
  expect(await idsWith(SpecialTokens.SPECIAL_TOKENS_PARSE)).toEqual([64, 50256]);
  await expect(idsWith(SpecialTokens.SPECIAL_TOKENS_REJECT)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    violations: [{ field: 'text' }],
  });
});

test('a text in chunks has the ids of the whole text, and ids in chunks the text of all', async () => {
  const { client } = connection;
  const text = 'Straße, 東京 🦊 and so on; '.repeat(50);
  const chunks = text.match(/[\s\S]{1,7}/gu) ?? [];
  const answers = await streamed(
    chunks.map((part, i) => ({ text: part, ...(i === 0 && { tokenizer: gpt2 }) })),
    (messages) => client.encodeStream(messages),
  );
  const ids = answers.flatMap((answer) => Array.from(fromInt32Bytes(answer.ids)));
  expect(ids).toEqual(Array.from(local.encode(text)));
  expect(answers.length).toBeGreaterThan(10);

  const texts = await streamed(
    ids.map((id, i) => ({ ids: toInt32Bytes([id]), ...(i === 0 && { tokenizer: gpt2 }) })),
    (messages) => client.decodeStream(messages),
  );
  expect(texts.map((answer) => answer.text).join('')).toBe(text);
  expect(texts.some((answer) => answer.text.includes('\ufffd'))).toBe(false);
});

test('a vocabulary is trained, stored with its manifest, and used', async () => {
  const { tokenizer, phases } = await train(await request());
  expect(phases).toEqual(['reading', 'merging']);
  expect(tokenizer).toMatchObject({ ref: { name: 'numbers', version: 'v1' }, vocabSize: 320 });
  expect(tokenizer.chatTemplate).toContain('<|im_start|>');
  const text = sentences.slice(0, 5).join('');
  const ids = await encode({ name: 'numbers' }, text);
  expect(ids.length).toBeLessThan(text.length / 2);

  const artifact = await openArtifact(platform.objects, 'tokenizers/numbers/v1');
  const json = Buffer.from(await artifact.read('tokenizer.json')).toString();
  expect(Array.from(readTokenizerFiles({ 'tokenizer.json': json }).encode(text))).toEqual(ids);
  expect(artifact.manifest.metadata).toMatchObject({ vocabSize: 320, sha256: tokenizer.sha256 });
});

test('the same request_id gives the same tokenizer, even while the first training runs; other requests new versions', async () => {
  const wanted = await request({ name: 'twice', requestId: 'a' });
  const [first, second] = await Promise.all([train(wanted), train(wanted)]);
  expect(second.tokenizer).toEqual(first.tokenizer);
  expect((await train(wanted)).tokenizer).toEqual(first.tokenizer);
  const other = await train({ ...wanted, requestId: 'b' });
  expect(other.tokenizer.ref?.version).toBe('v2');
  expect(other.tokenizer.sha256).toBe(first.tokenizer.sha256);
  await expect(train({ ...wanted, vocabSize: 300 })).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
});

test('a version whose writing was interrupted is finished by the same request, and passed over by others', async () => {
  const wanted = await request({ name: 'broken', requestId: 'a' });
  const put = platform.objects.put;
  platform.objects.put = async (key, ...rest) => {
    if (key.endsWith('manifest.json')) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    return put(key, ...rest);
  };
  await expect(train(wanted)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  platform.objects.put = put;
  await expect(encode({ name: 'broken' }, 'a')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect((await train({ ...wanted, requestId: 'b' })).tokenizer.ref?.version).toBe('v2');
  expect((await train(wanted)).tokenizer.ref?.version).toBe('v1');
});

test('characters: one id each, unknown ones are refused by name', async () => {
  const { tokenizer } = await train(
    await request({
      name: 'chars',
      kind: TokenizerKind.TOKENIZER_KIND_CHAR,
      vocabSize: 0,
      sources: [await upload('abc')],
    }),
  );
  expect(tokenizer).toMatchObject({ kind: TokenizerKind.TOKENIZER_KIND_CHAR, vocabSize: 6 });
  expect(await encode({ name: 'chars' }, 'cab')).toEqual([2, 0, 1]);
  await expect(encode({ name: 'chars' }, 'cab!')).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('"!" (U+0021) at position 3'),
  });
});

test("a model's own tokenizer is found by the model's name", async () => {
  const files = writeTokenizerFiles(local);
  await writeArtifact(platform.objects, 'models/assistant/v3', {
    kind: 'model',
    name: 'assistant',
    version: 'v3',
    created_at: '2026-11-24T00:00:00Z',
    metadata: {},
    parts: { 'tokenizer.json': Buffer.from(files['tokenizer.json']) },
  });
  expect(await encode({ name: 'model:assistant', version: 'production' }, 'Hello')).toEqual([15496]);
  const { tokenizer } = await connection.client.getTokenizer({ tokenizer: { name: 'model:assistant' } });
  expect(tokenizer?.ref).toEqual({ name: 'model:assistant', version: 'v3' });
  await expect(encode({ name: 'model:nobody' }, 'Hello')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('chats are rendered by the template; without one they are refused', async () => {
  const { client } = connection;
  await train(await request({ name: 'chatty' }));
  const messages = [{ role: 'user', content: 'Is 7 odd?' }];
  const { prompt, ids } = await client.renderChat({
    tokenizer: { name: 'chatty' },
    messages,
    addGenerationPrompt: true,
  });
  expect(prompt).toBe('<|im_start|>user\nIs 7 odd?<|im_end|>\n<|im_start|>assistant\n');
  const { text } = await client.decode({ tokenizer: { name: 'chatty' }, ids });
  expect(text).toBe(prompt);
  await expect(client.renderChat({ tokenizer: gpt2, messages })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
});

test('tokenizers are listed, the built-in one too, all versions', async () => {
  const { tokenizers } = await connection.client.listTokenizers({});
  const names = tokenizers.map(({ ref }) => `${ref?.name}@${ref?.version}`);
  expect(names).toEqual(expect.arrayContaining(['gpt2@v1', 'numbers@v1', 'twice@v1', 'twice@v2']));
});

test('more tokenizers than may be loaded take turns', async () => {
  const names = ['gpt2', 'numbers', 'twice', 'chars', 'gpt2', 'numbers'];
  const answers = await Promise.all(names.map((name) => encode({ name }, 'aaa')));
  for (const ids of answers) expect(ids.length).toBeGreaterThan(0);
  expect(answers[4]).toEqual(answers[0]);
});

test('the server answers while a long text without a space is encoded', async () => {
  const order: string[] = [];
  const long = encode(gpt2, 'ab'.repeat(1_000_000)).finally(() => order.push('long'));
  await connection.client.listTokenizers({});
  order.push('list');
  expect((await long).length).toBe(1_000_000);
  expect(order).toEqual(['list', 'long']);
});

test.each<[string, Partial<TrainTokenizerRequest>, string[]]>([
  ['a wrong name', { name: 'No Name' }, ['name']],
  ['a built-in name', { name: 'gpt2' }, ['name']],
  ['no kind', { kind: 0 }, ['kind']],
  ['a vocabulary without room for the bytes', { vocabSize: 258 }, ['vocab_size']],
  ['no sources', { sources: [] }, ['sources']],
  ['a source that is no upload', { sources: [{ key: 'models/a/v1/x', sizeBytes: 1, sha256: '' }] }, ['sources[0].key']],
  ['a source that does not exist', { sources: [{ key: 'uploads/a/b', sizeBytes: 1, sha256: '' }] }, ['sources[0].key']],
  ['special tokens twice', { specialTokens: ['<a>', '<a>'] }, ['special_tokens']],
  ['several things', { name: '', vocabSize: 0 }, ['name', 'vocab_size']],
])('a training is refused that has %s, naming the fields', async (_, changes, fields) => {
  const refused = train(await request({ name: 'refused', ...changes }));
  await expect(refused).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    violations: fields.map((field) => expect.objectContaining({ field })),
  });
});

test.each<[string, () => Promise<ObjectRef[]>, string]>([
  ['no text', async () => [await upload('')], 'sources: there is no text in them'],
  [
    'binary garbage',
    async () => [await upload('ok', 'a'), await upload(Buffer.from([0x61, 0xff, 0xfe, 0x00]))],
    'sources[1]: is not UTF-8 text',
  ],
  [
    'a character cut off at its end',
    async () => [await upload(Buffer.from('ab€').subarray(0, 4))],
    'sources[0]: is not UTF-8 text (at its end)',
  ],
  ['another hash', async () => [{ ...(await upload('abc')), sha256: '0'.repeat(64) }], 'sources[0].sha256'],
])('files with %s are refused', async (_, sources, message) => {
  const refused = train(await request({ name: 'refused', sources: await sources() }));
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(message) });
});

test('wrong references, ids, roles and lengths are refused, naming the field', async () => {
  const { client } = connection;
  const refused = (field: string) => ({ code: 'INVALID_ARGUMENT', violations: [expect.objectContaining({ field })] });
  await expect(client.encode({ text: 'a' })).rejects.toMatchObject(refused('tokenizer.name'));
  await expect(encode({ name: 'No Name' }, 'a')).rejects.toMatchObject(refused('tokenizer.name'));
  await expect(encode({ name: 'gpt2', version: 'latest' }, 'a')).rejects.toMatchObject(refused('tokenizer.version'));
  await expect(encode({ name: 'nobody' }, 'a')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(encode({ name: 'gpt2', version: 'v9' }, 'a')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(encode(gpt2, 'x'.repeat(5_000_000))).rejects.toMatchObject(refused('text'));
  await expect(client.decode({ tokenizer: gpt2, ids: Buffer.alloc(3) })).rejects.toMatchObject(refused('ids'));
  await expect(client.decode({ tokenizer: gpt2, ids: toInt32Bytes([50257]) })).rejects.toMatchObject(refused('ids'));
  await expect(client.renderChat({ tokenizer: gpt2 })).rejects.toMatchObject(refused('messages'));
  const messages = [{ role: 'robot', content: 'x' }];
  await expect(client.renderChat({ tokenizer: gpt2, messages })).rejects.toMatchObject(refused('messages[0].role'));
});

test('a cancelled training ends, and the next one gets its turn', async () => {
  const abort = new AbortController();
  const wanted = await request({ name: 'cancelled', sources: [await upload(sentences.join('').repeat(200))] });
  const cancelled = (async () => {
    for await (const _ of connection.client.trainTokenizer(wanted, { signal: abort.signal })) abort.abort();
  })();
  await expect(cancelled).rejects.toMatchObject({ name: 'AbortError' });
  expect((await train(await request({ name: 'after' }))).tokenizer.ref?.version).toBe('v1');
  await expect(encode({ name: 'cancelled' }, 'a')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
