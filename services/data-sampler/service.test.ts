// The service as callers see it: a real server on a free port, real stores in a temporary home.
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { StrataEvent } from '#lib/contracts/events.ts';
import type { ArtifactRef, ObjectRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import {
  type CreateDatasetRequest,
  type DataSamplerServiceClient,
  DataSamplerServiceDefinition,
  type Dataset,
  DatasetKind,
  type DeepPartial,
  Split,
  type StreamBatchesRequest,
  type StreamBatchesResponse,
} from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import {
  WeightLoaderServiceDefinition,
  type WeightLoaderServiceImplementation,
} from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { fromInt32Bytes } from '#lib/contracts/int32.ts';
import { objectKeys } from '#lib/contracts/keys.ts';
import { notFound } from '#lib/platform/errors.ts';
import { type Connection, connect } from '#lib/platform/grpc-client.ts';
import { type GrpcServer, implement, serveGrpc } from '#lib/platform/grpc-server.ts';
import { createLogger } from '#lib/platform/log.ts';
import { openArtifact, writeArtifact } from '#lib/platform/manifest.ts';
import { openPlatform, type Platform } from '#lib/platform/platform.ts';
import type { RunningService } from '#lib/platform/run-service.ts';
import { noTelemetry } from '#lib/platform/telemetry.ts';
import { defaultSpecialTokens } from '#lib/text/default-roles.ts';
import { createGpt2Tokenizer } from '#lib/text/gpt2.ts';
import { writeTokenizerFiles } from '#lib/text/tokenizer-files.ts';
import { createCharTrainer } from '#lib/text/train-char.ts';
import { loadConfig } from './config.ts';
import { start } from './main.ts';

const log = createLogger({ service: 'data-sampler', destination: { write: () => undefined } });
const trainer = createCharTrainer({ specialTokens: defaultSpecialTokens });
trainer.add(`${Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('')}\n`);
const chars = trainer.finish();
const charsRef = { name: 'chars', version: '' };

let home: string;
let platform: Platform;
let service: RunningService;
let models: GrpcServer;
let connection: Connection<typeof DataSamplerServiceDefinition>;
let client: DataSamplerServiceClient;

const environment = () => ({
  STRATA_HOME: home,
  STRATA_DATA_SAMPLER_PORT: '0',
  STRATA_DRAIN_MS: '100',
  STRATA_DATA_SAMPLER_SHARD_TOKENS: '2000',
  STRATA_WEIGHT_LOADER_ADDRESS: models.address,
});

const startService = async (): Promise<void> => {
  service = await start(loadConfig(environment()), { platform, log, connect, ...noTelemetry() });
  connection = connect(DataSamplerServiceDefinition, service.address);
  client = connection.client;
};
const stopService = async (): Promise<void> => {
  await connection.close();
  await service.stop();
};

/** A weight-loader that knows one model, whose files lie in the same object store. */
const serveModels = (): Promise<GrpcServer> => {
  const known: Partial<WeightLoaderServiceImplementation> = {
    getModel: async ({ model }) => {
      if (model?.name !== 'assistant') throw notFound('model', model?.name ?? '');
      return { version: { ref: { name: 'assistant', version: 'v3' }, prefix: 'models/assistant/v3' } };
    },
  };
  const implementation = new Proxy(known, {
    get: (target, name) => target[name as keyof typeof known] ?? (() => Promise.reject(new Error(String(name)))),
  }) as WeightLoaderServiceImplementation;
  const services = [implement(WeightLoaderServiceDefinition, implementation)];
  return serveGrpc({ services, bind: '127.0.0.1', port: 0, log, drainMs: 100 });
};

const storeTokenizer = (prefix: string, kind: string) => {
  const parts = Object.fromEntries(
    Object.entries(writeTokenizerFiles(chars)).map(([name, text]) => [name, Buffer.from(text)]),
  );
  const header = { kind, name: 'chars', version: 'v1', created_at: '', metadata: {} };
  return writeArtifact(platform.objects, prefix, { ...header, parts });
};

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-data-sampler-'));
  models = await serveModels();
  platform = await openPlatform(loadConfig(environment()));
  await storeTokenizer(objectKeys.tokenizer('chars', 'v1'), 'tokenizer');
  await storeTokenizer('models/assistant/v3', 'model');
  await startService();
});

afterAll(async () => {
  await stopService();
  await models.stop();
  await platform.close();
  await rm(home, { recursive: true });
});

async function upload(content: string | Uint8Array, filename: string): Promise<ObjectRef> {
  const bytes = Buffer.from(content);
  const { source } = await client.uploadSource(
    (async function* () {
      yield { part: { $case: 'header', value: { filename, sizeBytes: bytes.length } } } as const;
      for (let at = 0; at < bytes.length; at += 100_000)
        yield { part: { $case: 'chunk', value: bytes.subarray(at, at + 100_000) } } as const;
    })(),
  );
  return source as ObjectRef;
}

type Request = DeepPartial<CreateDatasetRequest>;

async function createWith(request: Request): Promise<{ dataset: Dataset; phases: string[] }> {
  const phases = new Set<string>();
  for await (const { event } of client.createDataset({ tokenizer: charsRef, ...request })) {
    if (event?.$case === 'progress') phases.add(event.value.phase);
    if (event?.$case === 'dataset') return { dataset: event.value, phases: [...phases] };
  }
  throw new Error('no dataset came');
}
const create = async (request: Request): Promise<Dataset> => (await createWith(request)).dataset;

const makeFrom = async (content: string | Uint8Array, filename: string, request: Request): Promise<Dataset> =>
  create({ ...request, sources: [{ object: await upload(content, filename) }] });

const jsonl = (rows: unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const story = Array.from({ length: 800 }, (_, i) => `line ${i} of a story that goes on\n`).join('');
/** Shards of 2,000 tokens end with a document. */
const documents = jsonl(Array.from({ length: 800 }, (_, i) => ({ text: `document ${i}, which is one of many` })));
const text = { kind: DatasetKind.DATASET_KIND_TEXT };
const labelled = { kind: DatasetKind.DATASET_KIND_LABELLED };
const instructions = { kind: DatasetKind.DATASET_KIND_INSTRUCTIONS };

type Stream = DeepPartial<StreamBatchesRequest>;
const train = { split: Split.SPLIT_TRAIN, batchSize: 4, blockSize: 16, seed: 3 };

async function batchesOf(refs: (ArtifactRef | undefined)[], request: Stream): Promise<StreamBatchesResponse[]> {
  const batches: StreamBatchesResponse[] = [];
  const mixture = refs.map((dataset) => ({ dataset, weight: 1 }));
  for await (const batch of client.streamBatches({ mixture, ...train, ...request } as Stream)) batches.push(batch);
  return batches;
}

/** Rows of ids, batch after batch. */
const rowsOf = (batches: StreamBatchesResponse[], field: 'inputIds' | 'targetIds' = 'inputIds'): number[][] =>
  batches.flatMap((batch) => {
    const ids = fromInt32Bytes(batch[field]);
    return Array.from({ length: batch.rows }, (_, row) => [
      ...ids.subarray(row * batch.blockSize, (row + 1) * batch.blockSize),
    ]);
  });

let book: Dataset;
beforeAll(async () => {
  book = await makeFrom(story, 'story.txt', { name: 'book', ...text, seed: 1 });
});

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
  let slowest = 0;
  const reading = (async () => {
    for await (const { event } of client.createDataset(
      { name: 'large', ...text, sources, tokenizer: { name: 'gpt2' } },
      { signal: leave.signal },
    )) {
      if (event?.$case !== 'progress' || event.value.phase !== 'reading') continue;
      const asked = performance.now();
      await client.getDataset({ dataset: { name: 'book' } });
      slowest = Math.max(slowest, performance.now() - asked);
      if (event.value.done > 2_000_000) leave.abort();
    }
  })();
  await expect(reading).rejects.toThrow();
  expect(slowest).toBeGreaterThan(0);
  expect(slowest).toBeLessThan(1000);
  await expect(client.getDataset({ dataset: { name: 'large' } })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  while (readdirSync(join(home, 'data-sampler')).length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
});

test('batches: targets are the next tokens; every batch follows from seed and index alone', async () => {
  const batches = await batchesOf([book.ref], { maxBatches: 20 });
  expect(batches.map(({ firstSample }) => firstSample)).toEqual(Array.from({ length: 20 }, (_, i) => 4 * i));
  const [inputs, targets] = [rowsOf(batches), rowsOf(batches, 'targetIds')];
  inputs.forEach((row, i) => {
    expect(targets[i]?.slice(0, -1)).toEqual(row.slice(1));
    expect(story).toContain(chars.decode([...row, targets[i]?.at(-1) ?? 0]));
  });
  expect(rowsOf(await batchesOf([book.ref], { maxBatches: 5, startSample: 60 }))).toEqual(inputs.slice(60));
  expect(rowsOf(await batchesOf([book.ref], { maxBatches: 40, batchSize: 2 }))).toEqual(inputs);
  expect(rowsOf(await batchesOf([book.ref], { maxBatches: 20, seed: 4 }))).not.toEqual(inputs);
  const ranks = await Promise.all(
    [0, 1, 2].map((rank) => batchesOf([book.ref], { maxBatches: 6, rank, worldSize: 3 })),
  );
  const shared = ranks.map((own) => rowsOf(own));
  expect(Array.from({ length: 72 }, (_, i) => shared[i % 3]?.[Math.floor(i / 3)])).toEqual(inputs.slice(0, 72));
});

test('one pass in stored order has every target once, the last window short, padded and masked', async () => {
  const batches = await batchesOf([book.ref], { sequential: true, split: Split.SPLIT_VALIDATION, batchSize: 7 });
  const scored = batches.flatMap((batch) => {
    const targets = [...fromInt32Bytes(batch.targetIds)];
    return batch.lossMask.length ? targets.filter((_, i) => batch.lossMask[i]) : targets;
  });
  expect(chars.decode(scored)).toBe(story.slice(Math.floor(0.9 * story.length) + 1));
  const last = batches.at(-1) as StreamBatchesResponse;
  const rest = scored.length % 16;
  expect(fromInt32Bytes(last.lengths).at(-1)).toBe(rest || 16);
  expect(last.inputIds.length).toBe(4 * 16 * last.rows);
});

test('labelled rows: labels by name, whole rows with their lengths', async () => {
  const rows = jsonl(Array.from({ length: 60 }, (_, i) => ({ text: `row ${i}`, label: i % 3 ? 'ham' : 'spam' })));
  const dataset = await makeFrom(rows, 'rows.jsonl', { name: 'rows', ...labelled, validationShare: 0 });
  expect(dataset.labelNames).toEqual(['ham', 'spam']);
  expect(dataset.splits[0]?.labels).toEqual({ ham: 40, spam: 20 });
  const batches = await batchesOf([dataset.ref], { maxBatches: 15 });
  const seen = batches.flatMap((batch) => {
    const [labels, lengths] = [fromInt32Bytes(batch.labels), fromInt32Bytes(batch.lengths)];
    expect(batch.targetIds.length).toBe(0);
    return rowsOf([batch]).map((ids, i) => [chars.decode(ids.slice(0, lengths[i])), labels[i]]);
  });
  const expected = Array.from({ length: 60 }, (_, i) => [`row ${i}`, i % 3 ? 0 : 1]);
  expect(new Map(seen as [string, number][])).toEqual(new Map(expected as [string, number][]));
});

test('instructions: only what the assistant says carries loss, end token included; padding never does', async () => {
  const rows = jsonl([
    { instruction: 'Say one.', output: 'one' },
    { instruction: 'Say two.', input: 'in words', output: 'two' },
  ]);
  const dataset = await makeFrom(rows, 'chat.jsonl', { name: 'chat', ...instructions, validationShare: 0 });
  const [batch] = await batchesOf([dataset.ref], { sequential: true, blockSize: 128 });
  const targets = fromInt32Bytes(batch?.targetIds ?? Buffer.alloc(0));
  const spoken = [0, 1].map((row) =>
    chars.decode([...targets.subarray(128 * row, 128 * row + 128)].filter((_, i) => batch?.lossMask[128 * row + i])),
  );
  expect(spoken).toEqual(['one<|im_end|>', 'two<|im_end|>']);
  expect(dataset.splits[0]?.lossTokens).toBe(8);
});

test('a mixture keeps its weights; its preview shows samples as text, and the shares', async () => {
  const other = await makeFrom(story.toUpperCase(), 'upper.txt', { name: 'upper', ...text });
  const mixture = [
    { dataset: book.ref, weight: 3 },
    { dataset: other.ref, weight: 1 },
  ] as { dataset: ArtifactRef; weight: number }[];
  const preview = await client.previewMixture({
    mixture,
    split: Split.SPLIT_TRAIN,
    seed: 3,
    blockSize: 16,
    samples: 40,
  });
  expect(preview.shares.map(({ share }) => share)).toEqual([0.75, 0.25]);
  expect(preview.shares[0]?.epochsPerMillionSamples).toBeCloseTo(750_000 / ((0.9 * story.length) / 16 - 1), -1);
  const upper = preview.samples.filter(({ text: sample }) => sample === sample.toUpperCase());
  expect(upper.length).toBe(10);
  const batches: StreamBatchesResponse[] = [];
  for await (const batch of client.streamBatches({ mixture, ...train, maxBatches: 10 })) batches.push(batch);
  expect(rowsOf(batches).map((ids) => chars.decode(ids))).toEqual(preview.samples.map(({ text: sample }) => sample));
});

test('a preview of conversations shows what carries loss, one of labelled rows the label', async () => {
  const preview = (name: string) =>
    client.previewMixture({ mixture: [{ dataset: { name } }], split: Split.SPLIT_TRAIN, blockSize: 128, samples: 2 });
  const chat = await preview('chat');
  expect(chat.samples.map(({ lossText }) => lossText).sort()).toEqual(['one<|im_end|>', 'two<|im_end|>']);
  expect(chat.samples[0]?.text).toContain('<|im_start|>user\nSay ');
  expect((await preview('rows')).samples[0]?.label).toMatch(/ham|spam/);
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

test.each<[string, Stream, string, string]>([
  ['no dataset', { mixture: [] }, 'INVALID_ARGUMENT', 'mixture'],
  ['no split', { split: Split.SPLIT_UNSPECIFIED }, 'INVALID_ARGUMENT', 'split'],
  ['a batch of nothing', { batchSize: 0 }, 'INVALID_ARGUMENT', 'batch_size'],
  ['a window of nothing', { blockSize: 0 }, 'INVALID_ARGUMENT', 'block_size'],
  ['a batch larger than a message', { batchSize: 100_000, blockSize: 1024 }, 'INVALID_ARGUMENT', 'block_size'],
  ['a window longer than the text', { blockSize: 1_000_000 }, 'FAILED_PRECONDITION', 'block_size'],
  ['a rank beyond the world', { rank: 2, worldSize: 2 }, 'INVALID_ARGUMENT', 'rank'],
  ['a part that is empty', { split: Split.SPLIT_TEST }, 'FAILED_PRECONDITION', 'split'],
  [
    'a negative weight',
    { mixture: [{ dataset: { name: 'book' }, weight: -1 }] },
    'INVALID_ARGUMENT',
    'mixture[0].weight',
  ],
  [
    'two kinds',
    { mixture: [{ dataset: { name: 'book' } }, { dataset: { name: 'rows' } }] },
    'INVALID_ARGUMENT',
    'mixture[1].dataset',
  ],
  [
    'two tokenizers',
    { mixture: [{ dataset: { name: 'book' } }, { dataset: { name: 'for-gpt2' } }] },
    'INVALID_ARGUMENT',
    'mixture[1].dataset',
  ],
])('batches of %s are refused by their field', async (_, request, code, field) => {
  await expect(batchesOf([book.ref], { maxBatches: 1, batchSize: 1, ...request })).rejects.toMatchObject({
    code,
    violations: [{ field }],
  });
});

test('an unknown dataset is NOT_FOUND', async () => {
  await expect(batchesOf([{ name: 'nobody', version: '' }], {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(batchesOf([{ name: 'book', version: 'v9' }], {})).rejects.toThrow('there is v1');
});

const fileOf = (dataset: Dataset, part: string): string =>
  join(home, 'objects', objectKeys.dataset(dataset.ref?.name ?? '', dataset.ref?.version ?? ''), part);

test.each<[string, string, (path: string) => void]>([
  ['truncated', 'train-00003.bin', (path) => truncateSync(path, statSync(path).size - 2)],
  [
    'altered by one bit',
    'train-00005.bin',
    (path) =>
      writeFileSync(
        path,
        readFileSync(path).map((byte, i) => byte ^ Number(i === 77)),
      ),
  ],
])('a shard that is %s is DATA_LOSS naming it, and the others still serve', async (_, part, damage) => {
  const dataset = await makeFrom(documents, 'd.jsonl', { name: 'damaged', ...text });
  const path = fileOf(dataset, part);
  expect(existsSync(path)).toBe(true);
  damage(path);
  await expect(batchesOf([dataset.ref], { maxBatches: 1 })).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringContaining(`${objectKeys.dataset('damaged', dataset.ref?.version ?? '')}/${part} is damaged`),
  });
  expect(await batchesOf([dataset.ref], { split: Split.SPLIT_VALIDATION, maxBatches: 1 })).toHaveLength(1);
  expect(await batchesOf([book.ref], { maxBatches: 1 })).toHaveLength(1);
});

test('a shard cut short while it is open is DATA_LOSS too', async () => {
  const dataset = await makeFrom(story, 'd.txt', { name: 'cut', ...text });
  await batchesOf([dataset.ref], { maxBatches: 1 });
  truncateSync(fileOf(dataset, 'train-00000.bin'), 0);
  await expect(batchesOf([dataset.ref], { maxBatches: 2000 })).rejects.toMatchObject({ code: 'DATA_LOSS' });
});

test('windows run across shards as if there were none', async () => {
  const dataset = await makeFrom(documents, 'd.jsonl', { name: 'many', ...text, validationShare: 0 });
  const batches = await batchesOf([dataset.ref], { sequential: true, blockSize: 1000 });
  const targets = batches
    .flatMap((batch) => [...fromInt32Bytes(batch.targetIds)])
    .slice(0, (dataset.splits[0]?.tokens ?? 0) - 1);
  const expected = documents
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row).text)
    .join('<|endoftext|>');
  expect(chars.decode(targets)).toBe(expected.slice(1));
});

test('a stream without end stops when its reader leaves; many run side by side', async () => {
  const streams = Array.from({ length: 12 }, async (_, seed) => {
    let count = 0;
    const mixture = [{ dataset: book.ref as ArtifactRef }];
    for await (const batch of client.streamBatches({ mixture, ...train, seed })) {
      expect(batch.firstSample).toBe(4 * count);
      if (++count === 200) break;
    }
    return count;
  });
  expect(await Promise.all(streams)).toEqual(Array(12).fill(200));
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
