import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { describeObjectStore } from '../contract/object-store.ts';
import { createEmbeddedHarness } from './harness.fixture.ts';
import { openObjectStore } from './object-store.ts';
import { thisProcess } from './process-identity.ts';

describeObjectStore('folder', createEmbeddedHarness);

test('opening removes what dead writers left, not what living ones are writing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strata-objects-'));
  const partials = join(folder, '.partial');
  await mkdir(partials, { recursive: true });
  const { pid, startedAt } = thisProcess();
  const living = `${pid}_${startedAt}_a`;
  for (const name of [living, `${pid}_another-start_b`, '999999999_x_c']) await writeFile(join(partials, name), 'half');
  await openObjectStore(folder);
  expect(await readdir(partials)).toEqual([living]);
  await rm(folder, { recursive: true });
});

const canMount = process.getuid?.() === 0 && process.platform === 'linux';
(canMount ? test : test.skip)(
  'a full disk is RESOURCE_EXHAUSTED, names the folder, and leaves what was there',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'strata-small-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]);
    try {
      const store = await openObjectStore(folder);
      await store.put('kept', new Uint8Array(300_000));
      await expect(store.put('large', new Uint8Array(2_000_000))).rejects.toMatchObject({
        code: 'RESOURCE_EXHAUSTED',
        message: expect.stringContaining(`no space left in ${folder}`),
      });
      expect(await store.head('large')).toBeUndefined();
      await store.put('fits', new Uint8Array(300_000));
      expect((await store.get('kept')).byteLength).toBe(300_000);
    } finally {
      execFileSync('umount', [folder]);
      await rm(folder, { recursive: true });
    }
  },
);
