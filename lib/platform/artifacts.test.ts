import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { fetchCatalogue, fetchTool, listCatalogue, listTools, resolveEngine, resolveTool } from './artifacts.ts';
import { installFolder } from './fetch/install-folder.ts';

let cacheDir = '';
beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'strata-artifacts-'));
});
afterAll(() => rm(cacheDir, { recursive: true }));

test('a tool that is not there is an error with the one command that gets it', async () => {
  await expect(resolveTool('libtensorflow', { cacheDir })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining('`make tools TOOL=libtensorflow` gets it'),
  });
  await expect(resolveEngine('cuda', { cacheDir })).rejects.toThrow('make tools TOOL=libtensorflow-cuda');
  await expect(resolveTool('libtorch', { cacheDir })).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a tool that is there is found, and not fetched again', async () => {
  const folder = join(cacheDir, 'tools', 'libtensorflow-2.21.0');
  await installFolder(folder, (to) => writeFile(join(to, 'lib.so'), 'x'), { neededBytes: 1 });
  expect(await resolveTool('libtensorflow', { cacheDir })).toBe(folder);
  expect(await fetchTool('libtensorflow', { cacheDir, platform: 'linux-x64' })).toBe(folder);
  const rows = await listTools({ cacheDir, platform: 'linux-x64' });
  expect(rows.map(({ name, here }) => [name, here])).toEqual([
    ['libtensorflow', true],
    ['libtensorflow-cuda', false],
    ['nats-server', false],
    ['kubectl', false],
    ['go', false],
    ['minio', false],
    ['kind', false],
    ['helm', false],
  ]);
});

test('a machine that a tool has no build for is told which have one', async () => {
  await expect(fetchTool('libtensorflow', { cacheDir, platform: 'win32-x64' })).rejects.toThrow(
    'libtensorflow 2.21.0 has no build for win32-x64; there are builds for linux-x64, linux-arm64, darwin-arm64',
  );
});

test('an entry of the catalogue comes whole or not at all', async () => {
  const dataDir = await mkdtemp(join(cacheDir, 'data-'));
  const aborted = fetchCatalogue('tiny-shakespeare', { cacheDir, dataDir, signal: AbortSignal.abort() });
  await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
  const rows = await listCatalogue({ cacheDir });
  expect(rows.find(({ name }) => name === 'tiny-shakespeare')?.here).toBe(false);
});
