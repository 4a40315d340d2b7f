import { expect, test } from '@jest/globals';
import type { Description } from './describe.ts';
import { createLoadedTokenizers } from './loaded-tokenizers.ts';

const description: Description = { kind: 'char', vocabSize: 1, specialTokens: {}, chatTemplate: '', sha256: '' };

const create = (limit: number, load: (key: string) => Promise<Description> = async () => description) => {
  const happened: string[] = [];
  const loaded = createLoadedTokenizers({
    limit,
    load: (key) => {
      happened.push(`load ${key}`);
      return load(key);
    },
    unload: (key) => happened.push(`unload ${key}`),
  });
  const use = async (key: string): Promise<void> => (await loaded.take(key))[Symbol.dispose]();
  return { happened, loaded, use };
};

test('what is loaded is loaded once, also for those who come meanwhile', async () => {
  const { happened, loaded, use } = create(2);
  await Promise.all([loaded.take('a'), loaded.take('a')]);
  await use('a');
  expect(happened).toEqual(['load a']);
});

test('the one that was used longest ago makes room', async () => {
  const { happened, use } = create(2);
  for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) await use(key);
  expect(happened).toEqual(['load a', 'load b', 'load c', 'unload b', 'load b', 'unload c']);
});

test('what is in use stays, whatever the limit', async () => {
  const { happened, loaded, use } = create(1);
  const lease = await loaded.take('a');
  await use('b');
  expect(happened).toEqual(['load a', 'load b', 'unload b']);
  lease[Symbol.dispose]();
  await use('c');
  expect(happened.slice(3)).toEqual(['load c', 'unload a']);
});

test('what cannot be loaded is tried again by the next one', async () => {
  let isBroken = true;
  const { happened, use } = create(1, async () => {
    if (isBroken) throw new Error('damaged');
    return description;
  });
  await expect(use('a')).rejects.toThrow('damaged');
  isBroken = false;
  await use('a');
  expect(happened).toEqual(['load a', 'load a']);
});
