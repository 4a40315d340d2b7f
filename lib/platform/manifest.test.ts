import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import { z } from 'zod';
import { openObjectStore } from './embedded/object-store.ts';
import { copyArtifact, createArtifact, openArtifact, readManifest, writeArtifact } from './manifest.ts';
import type { ObjectStore } from './object-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-manifest-'));
let store: ObjectStore;
beforeEach(async () => {
  store = await openObjectStore(folder);
  await store.deletePrefix('models');
});
afterAll(() => rm(folder, { recursive: true }));

const prefix = 'models/gpt2/v1';
const header = {
  kind: 'model',
  name: 'gpt2',
  version: 'v1',
  created_at: '2026-01-01T00:00:00Z',
  metadata: { layers: 12 },
};
const weights = new Uint8Array(100_000).map((_, i) => i);
const parts = { 'config.json': Buffer.from('{"n_layer":12}'), 'model.safetensors': weights };
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const damage = async (path: string, change: (bytes: Uint8Array) => Uint8Array): Promise<void> => {
  await store.put(`${prefix}/${path}`, change(await store.get(`${prefix}/${path}`)));
};

test('an artefact comes back as it was written, its manifest naming size and hash of every part', async () => {
  const written = await writeArtifact(store, prefix, { ...header, parts });
  const artifact = await openArtifact(store, prefix);
  expect(artifact.manifest).toEqual({
    ...header,
    parts: [
      { path: 'config.json', size_bytes: 14, sha256: sha256(parts['config.json']) },
      { path: 'model.safetensors', size_bytes: 100_000, sha256: sha256(weights) },
    ],
  });
  expect(artifact.sha256).toBe(written.sha256);
  expect(Buffer.compare(await artifact.read('model.safetensors'), weights)).toBe(0);
  expect(await artifact.readJson('config.json', z.object({ n_layer: z.number() }))).toEqual({ n_layer: 12 });
  expect(await artifact.withLocalFile('config.json', (path) => readFile(path, 'utf8'))).toBe('{"n_layer":12}');
  await artifact.verify();
});

test('parts without a manifest are no artefact; parts that no manifest names are not trusted', async () => {
  const artifact = createArtifact(store, prefix);
  await artifact.write('config.json', Buffer.from('{}'));
  await expect(openArtifact(store, prefix)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await artifact.commit(header);
  await store.put(`${prefix}/stray`, Buffer.from('x'));
  const opened = await openArtifact(store, prefix);
  expect(opened.has('stray')).toBe(false);
  await expect(opened.read('stray')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a committed artefact is not committed again', async () => {
  await writeArtifact(store, prefix, { ...header, parts });
  await expect(writeArtifact(store, prefix, { ...header, parts })).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
});

test.each<[string, (bytes: Uint8Array) => Uint8Array, RegExp]>([
  ['truncated', (bytes) => bytes.subarray(0, 50_000), /50000 bytes, its manifest says 100000/],
  ['bit-flipped', (bytes) => bytes.map((byte, i) => (i === 70_000 ? byte ^ 1 : byte)), /its SHA-256 is/],
])('a %s part is DATA_LOSS that names it, whichever way it is read', async (_, change, message) => {
  await writeArtifact(store, prefix, { ...header, parts });
  await damage('model.safetensors', change);
  const artifact = await openArtifact(store, prefix);
  let lent = false;
  const stream = async () => {
    for await (const chunk of artifact.stream('model.safetensors')) expect(chunk.byteLength).toBeGreaterThan(0);
  };
  const lend = () => artifact.withLocalFile('model.safetensors', async () => (lent = true));
  for (const read of [() => artifact.read('model.safetensors'), stream, lend, artifact.verify]) {
    const error = await read().catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'DATA_LOSS', message: expect.stringMatching(message) });
    expect(error.message).toContain('models/gpt2/v1/model.safetensors');
  }
  expect(lent).toBe(false);
  await artifact.read('config.json');
});

test('a missing part is DATA_LOSS, not NOT_FOUND: its manifest names it', async () => {
  await writeArtifact(store, prefix, { ...header, parts });
  await store.delete(`${prefix}/config.json`);
  const artifact = await openArtifact(store, prefix);
  await expect(artifact.read('config.json')).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: /config.json is missing/,
  });
  await expect(artifact.withLocalFile('config.json', async () => 1)).rejects.toMatchObject({ code: 'DATA_LOSS' });
  await expect(artifact.verify()).rejects.toMatchObject({ code: 'DATA_LOSS' });
});

test("an error of the borrower is the borrower's", async () => {
  await writeArtifact(store, prefix, { ...header, parts });
  const artifact = await openArtifact(store, prefix);
  const failing = artifact.withLocalFile('config.json', async () => {
    throw new RangeError('mine');
  });
  await expect(failing).rejects.toThrow(new RangeError('mine'));
});

test.each(['', '{', '[]', '{"kind":"model"}', '{"kind":1,"parts":[]}'])(
  'a manifest that is %j is DATA_LOSS',
  async (text) => {
    await store.put(`${prefix}/manifest.json`, Buffer.from(text));
    await expect(readManifest(store, prefix)).rejects.toMatchObject({
      code: 'DATA_LOSS',
      message: 'models/gpt2/v1/manifest.json is damaged',
    });
  },
);

test('a part that is not what is expected says so', async () => {
  await writeArtifact(store, prefix, { ...header, parts });
  const artifact = await openArtifact(store, prefix);
  await expect(artifact.readJson('config.json', z.object({ n_layer: z.string() }))).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringContaining('n_layer'),
  });
});

test('a copy has the same parts under its own header; a damaged one is not copied', async () => {
  await writeArtifact(store, prefix, { ...header, parts });
  const copy = await copyArtifact(store, prefix, 'models/gpt2/v2', (manifest) => ({ ...manifest, version: 'v2' }));
  expect(copy.manifest).toMatchObject({ version: 'v2', parts: (await readManifest(store, prefix)).manifest.parts });
  await (await openArtifact(store, 'models/gpt2/v2')).verify();
  await damage('config.json', () => Buffer.from('{"n_layer":13}'));
  await expect(copyArtifact(store, prefix, 'models/gpt2/v3', () => header)).rejects.toMatchObject({
    code: 'DATA_LOSS',
  });
  await expect(readManifest(store, 'models/gpt2/v3')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
