import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, expect, test } from '@jest/globals';
import { keys, objectKeys } from '#lib/contracts/keys.ts';
import { readConfig } from '../config.ts';
import { testEvent } from '../contract/test-event.ts';
import { writeArtifact } from '../manifest.ts';
import type { ObjectStore } from '../object-store.ts';
import { openPlatform, type Platform } from '../platform.ts';
import { platformSettings } from '../settings.ts';
import { withCheckedFile, withStored, writeArchiveFile } from './archive-file.ts';
import { createBackup } from './create-backup.ts';
import { restoreBackup } from './restore-backup.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'strata-backup-test-'));
  cleanups.push(() => rm(path, { recursive: true }));
  return path;
}

async function openHome(): Promise<Platform> {
  const env = { HOME: homedir(), STRATA_HOME: await folder() };
  const platform = await openPlatform(readConfig(platformSettings, env));
  cleanups.push(() => platform.close());
  return platform;
}

const weights = randomBytes(3_000_000);
/** Of another realm inside jest; on the disk it is the same. */
const big = new Uint8Array(weights);

/** A model, a run with metrics, an empty file, strange names, and what passes. */
async function fill({ state, objects }: Platform): Promise<void> {
  await state.put(keys.model('m'), { name: 'm', versions: ['v1'] });
  await state.put(keys.run('r1'), { id: 'r1', text: 'line\u2028separator\n"é"' });
  for (let step = 1; step <= 50; step++) await state.put(keys.metric('r1', step), { step, loss: 1 / step });
  await state.put(keys.activity('inference'), { wantedAt: 'now' });
  const parts = { 'config.json': Buffer.from('{}'), 'model.safetensors': big, empty: new Uint8Array(0) };
  const header = { kind: 'model', name: 'm', version: 'v1', created_at: 'then', metadata: {} };
  await writeArtifact(objects, objectKeys.model('m', 'v1'), { ...header, parts });
  await objects.put(`inbox/task/a b, (c)/${'long-name-'.repeat(19)}/é`.replace('é', 'e'), Buffer.from('text,label\n'));
}

async function content({ state, objects }: Platform) {
  const entries: unknown[] = [];
  for (const root of ['models', 'runs', 'metrics', 'pipelines', 'tokenizers']) {
    for (const { key, value } of await state.list(root)) entries.push([key, value]);
  }
  const found: [string, string][] = [];
  for await (const { key } of objects.list('')) {
    found.push([
      key,
      createHash('sha256')
        .update(await objects.get(key))
        .digest('hex'),
    ]);
  }
  return { entries, objects: found };
}

async function archiveOf(platform: Platform): Promise<string> {
  const path = join(await folder(), 'backup.tar');
  await writeArchiveFile(path, (destination) => createBackup(platform, destination));
  return path;
}

const restore = (target: Platform, path: string, options = {}) =>
  restoreBackup(target, createReadStream(path), options);

async function filledArchive() {
  const source = await openHome();
  await fill(source);
  return { source, archive: await archiveOf(source) };
}

test('what was there is there again, byte for byte; what was of the moment is not', async () => {
  const { source, archive } = await filledArchive();
  const target = await openHome();
  const summary = await restore(target, archive);
  expect(summary).toMatchObject({ stateEntries: 52, objects: 5 });
  expect(await content(target)).toEqual(await content(source));
  expect(await target.state.get(keys.activity('inference'))).toBeUndefined();
});

test('any tar reads the archive, and sha256sum its manifest', async () => {
  const { archive } = await filledArchive();
  const { execFileSync } = await import('node:child_process');
  const names = execFileSync('tar', ['-tf', archive], { encoding: 'utf8' }).trim().split('\n');
  expect(names[0]).toBe('backup.json');
  expect(names.at(-1)).toBe('manifest.json');
  expect(names.filter((name) => name.startsWith('state/'))).toEqual([
    'state/0001-runs.jsonl',
    'state/0002-models.jsonl',
    'state/0003-metrics.jsonl',
  ]);
  const manifest = JSON.parse(execFileSync('tar', ['-xOf', archive, 'manifest.json'], { encoding: 'utf8' }));
  const part = manifest.entries.find(({ path }: { path: string }) => path.endsWith('model.safetensors'));
  expect(part).toMatchObject({ size_bytes: big.byteLength, sha256: createHash('sha256').update(big).digest('hex') });
});

test('restored twice it is the same as restored once, if the second time is forced', async () => {
  const { source, archive } = await filledArchive();
  const target = await openHome();
  await restore(target, archive);
  await expect(restore(target, archive)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  await restore(target, archive, { force: true });
  expect(await content(target)).toEqual(await content(source));
});

test.each([0.2, 0.5, 0.999])('an archive that is cut at %d of its length leaves no state behind', async (share) => {
  const { archive } = await filledArchive();
  const { length } = await readFile(archive);
  await truncate(archive, Math.floor(length * share));
  const target = await openHome();
  await expect(restore(target, archive)).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringMatching(/damaged: .*(was cut)/),
  });
  expect((await content(target)).entries).toEqual([]);
});

test('a flipped byte anywhere is found, and named where it can be', async () => {
  const { archive } = await filledArchive();
  const bytes = await readFile(archive);
  const at = (text: string): number => bytes.indexOf(text);
  const places = {
    'a state entry': at('"loss"') + 1,
    'an object': bytes.indexOf(weights.subarray(0, 64)) + 9,
    'the manifest': bytes.lastIndexOf('"sha256":"') + 12,
  };
  for (const [name, place] of Object.entries(places)) {
    const copy = `${archive}.${name}`;
    await copyFile(archive, copy);
    const altered = Buffer.from(bytes);
    altered[place] = (altered[place] as number) ^ 1;
    await writeFile(copy, altered);
    const target = await openHome();
    await expect(restore(target, copy)).rejects.toMatchObject({ code: 'DATA_LOSS' });
    expect((await content(target)).entries).toEqual([]);
    // A file is checked before anything is done.
    const untouched = await openHome();
    const checked = withCheckedFile(copy, (source) => restoreBackup(untouched, source));
    await expect(checked).rejects.toMatchObject({ code: 'DATA_LOSS' });
    expect(await content(untouched)).toEqual({ entries: [], objects: [] });
  }
});

test('what is no backup is told so', async () => {
  const path = join(await folder(), 'x.tar');
  await writeFile(path, 'x'.repeat(4096));
  await expect(restore(await openHome(), path)).rejects.toMatchObject({ code: 'DATA_LOSS' });
});

/** Fails at the n-th write of an object, as a process that is killed there. */
const dyingAt = (objects: ObjectStore, count: number): ObjectStore => {
  let writes = 0;
  return {
    ...objects,
    put: async (...args) => {
      if (++writes === count) throw new Error('killed');
      return objects.put(...args);
    },
  };
};

test('a restore that was killed in the middle has no state, makes no backup, and goes on with the same archive only', async () => {
  const { source, archive } = await filledArchive();
  const other = await archiveOf(await openHome());
  const target = await openHome();
  await expect(restore({ ...target, objects: dyingAt(target.objects, 4) }, archive)).rejects.toThrow('killed');
  expect((await content(target)).entries).toEqual([]);
  await expect(createBackup(target, new PassThrough().resume())).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  await expect(restore(target, other)).rejects.toThrow(/another backup was interrupted/);
  await restore(target, archive);
  expect(await content(target)).toEqual(await content(source));
});

test('a forced restore that was killed goes on as one, also without being told again', async () => {
  const { source, archive } = await filledArchive();
  const target = await openHome();
  await target.state.put(keys.run('later'), {});
  await target.objects.put('models/m/v2/manifest.json', Buffer.from('{}'));
  const killed = restore({ ...target, objects: dyingAt(target.objects, 3) }, archive, { force: true });
  await expect(killed).rejects.toThrow('killed');
  await restore(target, archive);
  expect(await content(target)).toEqual(await content(source));
});

test('somebody’s work is refused as a target and named; what an installation has by itself is not', async () => {
  const { archive } = await filledArchive();
  const used = await openHome();
  await used.state.put(keys.dataset('d'), {});
  await expect(restore(used, archive)).rejects.toThrow(/not empty: it has the state "datasets.d"; --force replaces/);
  const leftover = await openHome();
  await leftover.objects.put('models/m/v7/config.json', Buffer.from('{}'));
  await expect(restore(leftover, archive)).rejects.toThrow(/the object "models\/m\/v7\/config.json"/);

  const fresh = await openHome();
  await fresh.state.put(keys.pipeline('spam'), {});
  await fresh.state.put(keys.tokenizer('gpt2'), { name: 'gpt2', versions: [{ requestId: 'built-in', version: 'v1' }] });
  await fresh.objects.put(`${objectKeys.tokenizer('gpt2', 'v1')}/manifest.json`, Buffer.from('{}'));
  await restore(fresh, archive);
  expect(await fresh.state.get(keys.model('m'))).toBeDefined();
});

test('with force the target is what the archive holds: state, objects, and no event of the past', async () => {
  const { source, archive } = await filledArchive();
  const target = await openHome();
  await fill(target);
  await target.state.put(keys.model('m'), { name: 'm', versions: ['v1', 'v2'] });
  await target.state.put(keys.run('r2'), {});
  await target.state.put(keys.metric('r2', 1), {});
  await target.objects.put('models/m/v2/manifest.json', Buffer.from('{}'));
  await target.events.publish(testEvent('past'));
  await restore(target, archive, { force: true });
  expect(await content(target)).toEqual(await content(source));
  expect(await target.state.get(keys.metric('r2', 1))).toBeUndefined();
  const heard = new Promise((resolve) => {
    const handler = async ({ id }: { id: string }) => resolve(id);
    void target.events.subscribe({ durable: 'd', subjects: ['strata.test.>'], handler });
  });
  await target.events.publish(testEvent('past', 'strata.test.again'));
  expect(await heard).toBe('past');
});

test('a forced restore from a pipe stores and checks the archive first', async () => {
  const { archive } = await filledArchive();
  const target = await openHome();
  await target.state.put(keys.dataset('d'), { kept: true });
  const cut = Readable.from((await readFile(archive)).subarray(0, 1_000_000));
  const restoring = withStored(cut, (path) =>
    withCheckedFile(path, (source) => restoreBackup(target, source, { force: true })),
  );
  await expect(restoring).rejects.toMatchObject({ code: 'DATA_LOSS' });
  expect(await target.state.get(keys.dataset('d'))).toBeDefined();
});

test('while work goes on: an artefact that is committed during the backup is whole in it, or has no manifest', async () => {
  const source = await openHome();
  await fill(source);
  const commit = async (version: string): Promise<void> => {
    const header = { kind: 'model', name: 'n', version, created_at: 'now', metadata: {} };
    const parts = { 'a.json': Buffer.from('1'), 'z.json': Buffer.from('2') };
    await writeArtifact(source.objects, objectKeys.model('n', version), { ...header, parts });
    await source.state.put(keys.model('n'), { name: 'n', versions: [version] });
  };
  let listings = 0;
  const busy: ObjectStore = {
    ...source.objects,
    async *list(prefix) {
      yield* source.objects.list(prefix);
      await commit(`v${++listings}`);
    },
  };
  const target = await openHome();
  const archive = await archiveOf({ ...source, objects: busy });
  await restore(target, archive);
  const found = (await content(target)).objects.map(([key]) => key).filter((key) => key.startsWith('models/n/'));
  expect(found).toEqual(['models/n/v1/a.json', 'models/n/v1/z.json']);
  expect(await target.state.get(keys.model('n'))).toBeUndefined();
});

test('a checkpoint that goes while the backup is made is left out', async () => {
  const source = await openHome();
  await fill(source);
  await source.objects.put('runs/r1/checkpoints/000000010/model', Buffer.from('weights'));
  const pruning: ObjectStore = {
    ...source.objects,
    head: async (key) => {
      const info = await source.objects.head(key);
      if (key.startsWith('runs/')) await source.objects.delete(key);
      return info;
    },
  };
  const target = await openHome();
  await restore(target, await archiveOf({ ...source, objects: pruning }));
  expect((await content(target)).objects).toEqual((await content(source)).objects);
});

test('a backup never overwrites a file, and leaves none behind where it fails', async () => {
  const { source, archive } = await filledArchive();
  const write = () => writeArchiveFile(archive, (destination) => createBackup(source, destination));
  await expect(write()).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  const place = await folder();
  const failing = {
    ...source,
    objects: {
      ...source.objects,
      list: () => {
        throw new Error('away');
      },
    },
  };
  await expect(writeArchiveFile(join(place, 'b.tar'), (out) => createBackup(failing, out))).rejects.toThrow('away');
  const { readdir } = await import('node:fs/promises');
  expect(await readdir(place)).toEqual([]);
});
