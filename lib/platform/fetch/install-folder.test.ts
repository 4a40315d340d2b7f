import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { withFileLock } from './file-lock.ts';
import { installFolder, isInstalled } from './install-folder.ts';

let cache = '';
let folder = '';
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'strata-install-'));
  folder = join(cache, 'tools', 'thing-1.0');
});
afterEach(() => rm(cache, { recursive: true }));

const options = { neededBytes: 10 };
const fill = (content: string) => async (to: string) => {
  await mkdir(join(to, 'lib'));
  await writeFile(join(to, 'lib', 'a'), content);
};
const filled = () => readFile(join(folder, 'lib', 'a'), 'utf8');

test('a folder is filled once, also by two at the same time', async () => {
  let fills = 0;
  const waits: string[] = [];
  const slow = async (to: string) => {
    fills++;
    await new Promise((resolve) => setTimeout(resolve, 300));
    await fill('x')(to);
  };
  const both = ['first', 'second'].map((who) =>
    installFolder(folder, slow, { ...options, onWait: () => waits.push(who) }),
  );
  await Promise.all(both);
  await installFolder(folder, slow, options);
  expect([fills, waits.length, await filled()]).toEqual([1, 1, 'x']);
});

test('a failed fill leaves nothing behind, and the next one works', async () => {
  const broken = async (to: string) => {
    await fill('half')(to);
    throw new Error('cable cut');
  };
  await expect(installFolder(folder, broken, options)).rejects.toThrow('cable cut');
  expect(await readdir(join(cache, 'tools'))).toEqual(['thing-1.0.lock']);
  await installFolder(folder, fill('whole'), options);
  expect(await filled()).toBe('whole');
});

test('what a killed process left is thrown away', async () => {
  await mkdir(`${folder}.unfinished`, { recursive: true });
  await writeFile(join(`${folder}.unfinished`, 'rubbish'), 'x');
  await installFolder(folder, fill('whole'), options);
  expect(await readdir(folder)).toEqual(['.complete.json', 'lib']);
});

test('a folder without its marker, or with a file cut short or missing, is installed anew', async () => {
  await mkdir(folder, { recursive: true });
  expect(await isInstalled(folder)).toBe(false);
  await installFolder(folder, fill('whole'), options);
  expect(await isInstalled(folder)).toBe(true);
  await truncate(join(folder, 'lib', 'a'), 2);
  expect(await isInstalled(folder)).toBe(false);
  await installFolder(folder, fill('again'), options);
  expect(await filled()).toBe('again');
  await rm(join(folder, 'lib', 'a'));
  expect(await isInstalled(folder)).toBe(false);
});

test('a disk that is too small is told before anything is fetched', async () => {
  const never = async () => {
    throw new Error('fetched');
  };
  await expect(installFolder(folder, never, { neededBytes: 1e18 })).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: expect.stringMatching(/1000000000000 MB are needed in .*tools, \d+ MB are free; set STRATA_CACHE_DIR/),
  });
});

test('a disk that fills up meanwhile is told as such', async () => {
  const full = async () => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  };
  await expect(installFolder(folder, full, options)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
});

test('a cache that is a file is told as such', async () => {
  await writeFile(join(cache, 'file'), '');
  await expect(installFolder(join(cache, 'file', 'x', 'y'), fill(''), options)).rejects.toThrow('ENOTDIR');
});

test('a process that is killed while it holds the lock does not keep it', async () => {
  const lock = join(cache, 'lock');
  const holder = `
    import { withFileLock } from ${JSON.stringify(join(__dirname, 'file-lock.ts'))};
    await withFileLock(${JSON.stringify(lock)}, () => new Promise(() => { console.log('held'); setInterval(() => {}, 1000); }));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', holder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const impatient = withFileLock(lock, async () => 'mine', { signal: AbortSignal.timeout(300) });
  await expect(impatient).rejects.toMatchObject({ name: 'AbortError' });
  child.kill('SIGKILL');
  expect(await withFileLock(lock, async () => 'mine')).toBe('mine');
});
