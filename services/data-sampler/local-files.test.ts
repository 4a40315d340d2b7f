import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import { withLocalFiles } from './local-files.ts';

/** Lends paths, and tells how many are lent. */
function createLender(missing = '') {
  const lender = { lent: 0, most: 0 };
  const withLocalFile: ObjectStore['withLocalFile'] = async (key, use) => {
    lender.lent += 1;
    lender.most = Math.max(lender.most, lender.lent);
    try {
      await delay(Math.random() * 3);
      if (key === missing) throw new Error(`${key} is missing`);
      return await use(`/${key}`);
    } finally {
      lender.lent -= 1;
    }
  };
  return { lender, objects: { withLocalFile } };
}

const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);

test('gives the paths in the order of the keys, all at the same time, and gives them back', async () => {
  const { lender, objects } = createLender();
  const paths = await withLocalFiles(objects, keys, async (paths) => {
    expect(lender.lent).toBe(40);
    return paths;
  });
  expect(paths).toEqual(keys.map((key) => `/${key}`));
  expect(lender.lent).toBe(0);
  expect(await withLocalFiles(objects, [], async (paths) => paths.length)).toBe(0);
});

test('one that is missing fails it, and what was lent is given back', async () => {
  const { lender, objects } = createLender('k20');
  await expect(withLocalFiles(objects, keys, async () => 'used')).rejects.toThrow('k20 is missing');
  expect(lender.lent).toBe(0);
  expect(lender.most).toBeLessThan(40);
  const failing = createLender();
  await expect(withLocalFiles(failing.objects, keys, () => Promise.reject(new Error('no use')))).rejects.toThrow(
    'no use',
  );
  expect(failing.lender.lent).toBe(0);
});
