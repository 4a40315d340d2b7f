import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { openObjectStore } from './embedded/object-store.ts';
import { createLogger } from './log.ts';
import { keepRemovingOldUploads, removeOldUploads } from './old-uploads.ts';

const dayMs = 86_400_000;
const bytes = new TextEncoder().encode('labels');

async function storeWith(...keys: string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'strata-old-uploads-'));
  const objects = await openObjectStore(folder);
  for (const key of keys) await objects.put(key, bytes);
  return { objects, dispose: () => rm(folder, { recursive: true }) };
}

test('uploads go after their days, everything else stays', async () => {
  const { objects, dispose } = await storeWith('uploads/a/x.txt', 'uploads/b/y.txt', 'models/m/v1/config.json');
  const remove = (days: number) => removeOldUploads({ objects, keepDays: 7 }, Date.now() + days * dayMs);
  expect(await remove(6.9)).toBe(0);
  expect(await remove(7.1)).toBe(2);
  expect(await objects.head('uploads/a/x.txt')).toBeUndefined();
  expect(await objects.head('models/m/v1/config.json')).toBeDefined();
  await dispose();
});

test('a file that is uploaded again while the others are looked at stays', async () => {
  const { objects, dispose } = await storeWith('uploads/a/x.txt');
  const long = { modifiedAt: new Date(0) };
  const again = {
    ...objects,
    list: async function* (prefix: string) {
      for await (const info of objects.list(prefix)) yield { ...info, ...long };
    },
  };
  expect(await removeOldUploads({ objects: again, keepDays: 7 }, Date.now())).toBe(0);
  expect(await objects.head('uploads/a/x.txt')).toBeDefined();
  await dispose();
});

test('the daily look ends with its signal', async () => {
  const { objects, dispose } = await storeWith();
  const stop = new AbortController();
  const log = createLogger({ service: 'test', level: 'silent' });
  const looking = keepRemovingOldUploads({ objects, keepDays: 7, log, signal: stop.signal });
  stop.abort();
  await looking;
  await dispose();
});
