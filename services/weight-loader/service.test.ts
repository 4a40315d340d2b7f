// The service as callers see it: a real server on a free port, real stores in a temporary home.
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ObjectRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import {
  type ImportModelRequest,
  type ModelVersion,
  WeightLoaderServiceDefinition,
} from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { objectKeys } from '#lib/contracts/keys.ts';
import { readerOfBytes } from '#lib/model/formats/byte-source.ts';
import { readSafetensors } from '#lib/model/formats/safetensors.ts';
import { encodeSafetensors } from '#lib/model/formats/write-safetensors.ts';
import type { StrataEvent } from '#lib/platform/event-bus.ts';
import { type Connection, connect } from '#lib/platform/grpc-client.ts';
import { createLogger } from '#lib/platform/log.ts';
import { openArtifact, readManifest, writeArtifact } from '#lib/platform/manifest.ts';
import { openPlatform, type Platform } from '#lib/platform/platform.ts';
import type { RunningService } from '#lib/platform/run-service.ts';
import { noTelemetry } from '#lib/platform/telemetry.ts';
import { loadConfig } from './config.ts';
import { start } from './main.ts';
import { chatTemplate, gpt2Files, llamaGguf, type ModelFiles } from './models.fixture.ts';

let home: string;
let platform: Platform;
let service: RunningService;
let connection: Connection<typeof WeightLoaderServiceDefinition>;
const events: StrataEvent[] = [];

const log = createLogger({ service: 'weight-loader', level: 'silent' });
const config = () => loadConfig({ STRATA_HOME: home, STRATA_WEIGHT_LOADER_PORT: '0', STRATA_DRAIN_MS: '200' });

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-weight-loader-'));
  platform = await openPlatform(config());
  service = await start(config(), { platform, log, connect, ...noTelemetry() });
  connection = connect(WeightLoaderServiceDefinition, service.address);
  await platform.events.subscribe({
    durable: 'test',
    subjects: ['strata.model.*'],
    handler: async (event) => void events.push(event),
  });
});
afterAll(async () => {
  await connection.close();
  await service.stop();
  await platform.close();
  await rm(home, { recursive: true });
});

const sha256 = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');

async function upload(filename: string, content: Buffer, announced = content): Promise<ObjectRef> {
  async function* messages() {
    const value = { filename, sizeBytes: announced.length, sha256: sha256(announced) };
    yield { part: { $case: 'header' as const, value } };
    for (let at = 0; at < content.length; at += 10_000) {
      yield { part: { $case: 'chunk' as const, value: content.subarray(at, at + 10_000) } };
    }
  }
  const { file } = await connection.client.uploadModelFile(messages());
  return file as ObjectRef;
}

const uploadAll = (files: ModelFiles) =>
  Promise.all(Object.entries(files).map(([name, content]) => upload(name, content)));

/** The version, and the phases that were told on the way. */
async function importModel(request: Partial<ImportModelRequest>): Promise<{ version: ModelVersion; phases: string[] }> {
  const phases: string[] = [];
  for await (const { event } of connection.client.importModel(request)) {
    if (event?.$case === 'version') return { version: event.value, phases };
    if (event?.$case === 'progress') phases.push(event.value.phase);
  }
  throw new Error('the stream ended without a version');
}

const importFiles = async (name: string, files: ModelFiles, more: Partial<ImportModelRequest> = {}) =>
  importModel({ name, files: await uploadAll(files), ...more });

async function exported(name: string, version = ''): Promise<ModelFiles> {
  const files: Record<string, Buffer[]> = {};
  let current: Buffer[] = [];
  for await (const { part } of connection.client.exportModel({ model: { name, version } })) {
    if (part?.$case === 'file') current = files[part.value.filename] = [];
    if (part?.$case === 'chunk') current.push(part.value);
  }
  return Object.fromEntries(Object.entries(files).map(([file, chunks]) => [file, Buffer.concat(chunks)]));
}

const getModel = (name: string, version = '') => connection.client.getModel({ model: { name, version } });
const pathOf = (key: string) => join(home, 'objects', key);

async function flipBit(key: string, at = 1000): Promise<void> {
  const bytes = await readFile(pathOf(key));
  bytes[at] = (bytes[at] as number) ^ 1;
  await writeFile(pathOf(key), bytes);
}

async function eventually(claim: () => void): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      return claim();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  claim();
}

test('a Hugging Face directory is imported, with our names for its tensors, and comes out again', async () => {
  const files = await gpt2Files();
  const { version, phases } = await importFiles('gpt2-tiny', files);
  expect(version).toMatchObject({
    ref: { name: 'gpt2-tiny', version: 'v1' },
    prefix: 'models/gpt2-tiny/v1',
    modelType: 'gpt2',
    parameters: 7232,
    contextLength: 8,
    vocabSize: 32,
    labels: [],
    chat: false,
    tokenizerSha256: sha256(files['tokenizer.json'] as Buffer),
    lineage: { source: 'huggingface', sourceSha256: sha256(files['model.safetensors'] as Buffer) },
  });
  expect(phases).toEqual(expect.arrayContaining(['reading', 'writing', 'storing']));
  const out = await exported('gpt2-tiny');
  const names = [
    'config.json',
    'generation_config.json',
    'model.safetensors',
    'tokenizer.json',
    'tokenizer_config.json',
  ];
  expect(Object.keys(out).sort()).toEqual(names);
  const weights = await readSafetensors(readerOfBytes(out['model.safetensors'] as Buffer));
  expect([...weights.keys()]).toContain('h.1.mlp.c_fc.weight');
  const { version: again } = await importFiles('gpt2-again', out);
  expect((await exported('gpt2-again'))['model.safetensors']).toEqual(out['model.safetensors']);
  expect(again.parameters).toBe(7232);
});

test('a classifier keeps the names of its classes', async () => {
  const { version } = await importFiles('labelled', await gpt2Files('gpt2-classifier'));
  expect(version.labels).toEqual(['LABEL_0', 'LABEL_1', 'LABEL_2']);
});

test('a Llama GGUF file is imported with its tokenizer and chat template', async () => {
  const { version } = await importFiles('llama-tiny', { 'tiny.gguf': llamaGguf() });
  expect(version).toMatchObject({ modelType: 'llama', contextLength: 32, vocabSize: 258, chat: true });
  expect(version.lineage).toMatchObject({ source: 'gguf', sourceSha256: sha256(llamaGguf()) });
  const out = await exported('llama-tiny');
  const json = (file: string) => JSON.parse(String(out[file]));
  expect(json('config.json')).toMatchObject({ model_type: 'llama', num_key_value_heads: 1, head_dim: 4 });
  expect(json('tokenizer_config.json')).toMatchObject({ chat_template: chatTemplate, eos_token: '<|im_end|>' });
  expect(json('generation_config.json')).toEqual({ bos_token_id: 256, eos_token_id: 257 });
});

test('the same request makes one version, also when it is made twice at once; a new one makes the next', async () => {
  const files = await uploadAll(await gpt2Files());
  const request = { requestId: 'once', name: 'repeated', files };
  const both = await Promise.all([importModel(request), importModel(request)]);
  expect(both.map(({ version }) => version.ref?.version)).toEqual(['v1', 'v1']);
  expect((await importModel(request)).version.sha256).toBe(both[0]?.version.sha256);
  expect((await importModel({ ...request, requestId: 'twice' })).version.ref?.version).toBe('v2');
});

test('an import moves production unless it is told otherwise, and both are told to the others', async () => {
  const files = await uploadAll(await gpt2Files());
  await importModel({ name: 'moved', files });
  await importModel({ name: 'moved', files, noPromote: true });
  await importModel({ name: 'moved', files, promoteTo: 'canary' });
  const { model } = await getModel('moved');
  expect(model?.aliases.map(({ name, version }) => [name, version])).toEqual([
    ['production', 'v1'],
    ['canary', 'v3'],
  ]);
  const ids = () => events.map(({ id }) => id).filter((id) => id.includes('/moved/'));
  await eventually(() =>
    expect(ids().sort()).toEqual([
      'model.promoted/moved/canary/1',
      'model.promoted/moved/production/1',
      'model.registered/moved/v1',
      'model.registered/moved/v2',
      'model.registered/moved/v3',
    ]),
  );
});

test('aliases are promoted and rolled back, and every move is kept with its reason', async () => {
  const files = await uploadAll(await gpt2Files());
  for (let i = 0; i < 3; i++) await importModel({ name: 'aliased', files, noPromote: true });
  const promote = (version: string, reason = '') =>
    connection.client.promoteModel({ model: { name: 'aliased', version }, reason });
  for (const version of ['v1', 'v2', 'v2', '']) await promote(version, `to ${version}`);
  expect((await getModel('aliased')).version?.ref?.version).toBe('v3');
  const { model } = await connection.client.rollbackModel({ name: 'aliased', reason: 'worse' });
  expect(model?.aliases).toMatchObject([{ name: 'production', version: 'v2' }]);
  expect(model?.aliases[0]?.history.map(({ version, reason }) => [version, reason])).toEqual([
    ['v1', 'to v1'],
    ['v2', 'to v2'],
    ['v3', 'to '],
    ['v2', 'worse'],
  ]);
  await eventually(() =>
    expect(events.at(-1)?.data).toEqual({
      model: { name: 'aliased', version: 'v2' },
      alias: 'production',
      previousVersion: 'v3',
      reason: 'worse',
    }),
  );
});

test('moves that come at once are all kept', async () => {
  const files = await uploadAll(await gpt2Files());
  for (let i = 0; i < 2; i++) await importModel({ name: 'busy', files, noPromote: true });
  const moves = Array.from({ length: 10 }, (_, i) =>
    connection.client.promoteModel({ model: { name: 'busy', version: 'v1' }, alias: `a${i}` }),
  );
  await Promise.all(moves);
  expect((await getModel('busy')).model?.aliases).toHaveLength(10);
});

async function writeRun(id: string, files: ModelFiles): Promise<string> {
  const prefix = objectKeys.runModel(id);
  const header = { kind: 'model', name: 'x', version: '', created_at: '2026-01-01T00:00:00Z', metadata: {} };
  await writeArtifact(platform.objects, prefix, { ...header, parts: files });
  return prefix;
}

/** The directory in our own form, as a trainer writes it. */
async function ownFiles(): Promise<ModelFiles> {
  const files = await gpt2Files();
  const stored = await readSafetensors(readerOfBytes(files['model.safetensors'] as Buffer));
  const own = new Map([...stored].map(([name, tensor]) => [name.replace('transformer.', ''), tensor]));
  return { ...files, 'model.safetensors': Buffer.concat([...encodeSafetensors(own)]) };
}

test("a run's model is registered once, copied with its lineage, and moves no alias", async () => {
  const sourcePrefix = await writeRun('run1', await ownFiles());
  const lineage = {
    runId: 'run1',
    base: { name: 'gpt2', version: 'v1' },
    datasets: [{ name: 'd', version: 'v2' }],
    seed: 7,
  };
  const request = { requestId: 'run1', name: 'trained', sourcePrefix, lineage };
  const first = await connection.client.registerModel(request);
  const second = await connection.client.registerModel(request);
  expect(second.version).toEqual(first.version);
  expect(first.version).toMatchObject({ ref: { version: 'v1' }, parameters: 7232, lineage });
  expect((await getModel('trained')).model?.aliases).toEqual([]);
  await (await openArtifact(platform.objects, 'models/trained/v1')).verify();
  expect((await readManifest(platform.objects, 'models/trained/v1')).manifest.metadata).toMatchObject({
    modelType: 'gpt2',
  });
});

test('a version whose service was killed after its manifest is completed by the next try', async () => {
  const request = { requestId: 'killed', name: 'killed', sourcePrefix: await writeRun('run2', await ownFiles()) };
  const { version } = await connection.client.registerModel(request);
  const { value, revision } = (await platform.state.get<{ versions: unknown[] }>('models.killed')) as never as {
    value: object;
    revision: number;
  };
  await platform.state.put('models.killed', { ...value, versions: [] }, { expectedRevision: revision });
  await expect(getModel('killed')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const again = await connection.client.registerModel(request);
  expect(again.version).toEqual(version);
});

test('what a crash left untold is told at the next start', async () => {
  const second = await start(config(), { platform, log, connect, ...noTelemetry() });
  await second.stop();
  await eventually(() => expect(events.filter(({ id }) => id === 'model.registered/killed/v1')).toHaveLength(1));
});

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const changed = async (file: string, change: (content: Buffer) => Buffer): Promise<ModelFiles> => {
  const files = await gpt2Files();
  return { ...files, [file]: change(files[file] as Buffer) };
};
const withConfig = (more: object) =>
  changed('config.json', (content) => json({ ...JSON.parse(String(content)), ...more }));
const without = async (file: string) =>
  Object.fromEntries(Object.entries(await gpt2Files()).filter(([name]) => name !== file));

test.each<[what: string, files: () => Promise<ModelFiles>, message: RegExp]>([
  ['no files', async () => ({}), /files: one .gguf file alone, or the files of a Hugging Face directory/],
  ['a GGUF file among others', async () => ({ 'a.gguf': llamaGguf(), ...(await gpt2Files()) }), /one .gguf file alone/],
  ['binary garbage', async () => ({ 'a.gguf': Buffer.alloc(5000, 7) }), /does not begin with "GGUF"/],
  ['a truncated GGUF file', async () => ({ 'a.gguf': llamaGguf().subarray(0, -1000) }), /the file is cut off/],
  [
    'truncated weights',
    () => changed('model.safetensors', (content) => content.subarray(0, -100)),
    /the file is cut off/,
  ],
  ['weights of another shape', () => withConfig({ n_layer: 3 }), /no tensor named "h.2/],
  ['weights that are too many', () => withConfig({ n_layer: 1 }), /no such tensor in this gpt2/],
  ['another model type', () => withConfig({ model_type: 't5' }), /model_type "t5" is not one of gpt2, llama/],
  ['a wrong configuration', () => withConfig({ n_head: 3 }), /nEmbd 16 is not a multiple of nHead 3/],
  ['no weights', () => without('model.safetensors'), /no model.safetensors/],
  ['no tokenizer', () => without('tokenizer.json'), /no tokenizer: neither tokenizer.json nor vocab.json/],
  ['a tokenizer that is no JSON', () => changed('tokenizer.json', () => Buffer.from('{')), /tokenizer.json is no JSON/],
])('an import of %s is refused with the reason, and makes nothing', async (_, files, message) => {
  await expect(importFiles('bad', await files())).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(message),
  });
  await expect(getModel('bad')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a tokenizer with more ids than the model is refused', async () => {
  const files = await gpt2Files();
  const tokenizer = JSON.parse(String(files['tokenizer.json']));
  tokenizer.added_tokens.push({ ...tokenizer.added_tokens[0], id: 40, content: '<|more|>' });
  tokenizer.model.vocab['<|more|>'] = 40;
  await expect(importFiles('bad', { ...files, 'tokenizer.json': json(tokenizer) })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(/ids up to 40, the model knows 32|no single character|missing/),
  });
});

test('an upload that is cut off or altered on the way is refused', async () => {
  const content = llamaGguf();
  await expect(upload('a.gguf', content.subarray(0, 5000), content)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(/bytes were announced, 5000 came/),
  });
  await expect(upload('../a.gguf', content)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test('an upload that was altered in the store is named', async () => {
  const content = Buffer.from(llamaGguf());
  content.writeFloatLE(0.5, content.length - 4);
  const file = await upload('damaged.gguf', content);
  await flipBit(file.key);
  await expect(importModel({ name: 'bad', files: [file] })).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringMatching(/damaged.gguf is damaged in the store .* upload it again/),
  });
});

test('files that were never uploaded are named', async () => {
  const key = `uploads/${'0'.repeat(64)}/a.gguf`;
  await expect(importModel({ name: 'bad', files: [{ key, sizeBytes: 0, sha256: '' }] })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining(`upload "${key}" does not exist; upload the file again`),
  });
  const other = { key: 'runs/x/model/config.json', sizeBytes: 0, sha256: '' };
  await expect(importModel({ name: 'bad', files: [other] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test('a part of a run that is altered, cut off or missing keeps its model out', async () => {
  const files = await ownFiles();
  const register = (sourcePrefix: string) =>
    connection.client.registerModel({ requestId: sourcePrefix, name: 'bad', sourcePrefix });
  const flipped = await writeRun('flipped', files);
  await flipBit(`${flipped}/model.safetensors`, 9000);
  await expect(register(flipped)).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringContaining('SHA-256'),
  });
  const cut = await writeRun('cut', files);
  await truncate(pathOf(`${cut}/model.safetensors`), 100);
  await expect(register(cut)).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringContaining('100 bytes'),
  });
  const bare = await writeRun('bare', { 'config.json': files['config.json'] as Buffer });
  await expect(register(bare)).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining('has no model.safetensors'),
  });
  const wrong = await writeRun('wrong', {
    ...files,
    ...(await withConfig({ n_layer: 3 }).then(({ 'config.json': config }) => ({ 'config.json': config as Buffer }))),
  });
  await expect(register(wrong)).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining('no tensor named "h.2'),
  });
  await expect(register('runs/none/model')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(register('models/gpt2-tiny/v1')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(getModel('bad')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a version that is damaged in the store is not exported as if it were whole', async () => {
  await importFiles('rotten', await gpt2Files());
  await flipBit('models/rotten/v1/model.safetensors', 9000);
  await expect(exported('rotten')).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringContaining('models/rotten/v1/model.safetensors is damaged'),
  });
});

test('unknown models, versions and aliases are told what there is', async () => {
  await importFiles('known', await gpt2Files());
  await expect(getModel('unknown')).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining('`strata model list`'),
  });
  const message = 'model version "known@v9" does not exist; there are v1, production (v1)';
  await expect(getModel('known', 'v9')).rejects.toMatchObject({ code: 'NOT_FOUND', message });
  await expect(connection.client.promoteModel({ model: { name: 'known', version: 'v9' } })).rejects.toMatchObject({
    message,
  });
  await expect(connection.client.promoteModel({ model: { name: 'unknown', version: '' } })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
  await expect(connection.client.rollbackModel({ name: 'known' })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
  });
  const { models } = await connection.client.listModels({});
  expect(models.map(({ name }) => name)).not.toContain('unknown');
});

test('wrong names are refused by field', async () => {
  await expect(getModel('No Such')).rejects.toMatchObject({ violations: [{ field: 'model.name' }] });
  await expect(getModel('a', 'v 1')).rejects.toMatchObject({ violations: [{ field: 'model.version' }] });
  await expect(importModel({ name: 'a', promoteTo: 'v1' })).rejects.toMatchObject({
    violations: [{ field: 'promote_to' }],
  });
  await expect(
    connection.client.promoteModel({ model: { name: 'known', version: 'v1' }, alias: 'v2' }),
  ).rejects.toMatchObject({ violations: [{ field: 'alias' }] });
});

test('an import that its caller gives up makes nothing', async () => {
  const files = await uploadAll(await gpt2Files());
  const controller = new AbortController();
  const stream = connection.client.importModel({ name: 'given-up', files }, { signal: controller.signal });
  const reading = (async () => {
    for await (const { event } of stream) if (event?.$case === 'progress') controller.abort();
  })();
  await expect(reading).rejects.toMatchObject({ name: 'AbortError' });
  await new Promise((resolve) => setTimeout(resolve, 300));
  await expect(getModel('given-up')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
