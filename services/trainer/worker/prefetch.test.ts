import { expect, test } from '@jest/globals';
import { prefetch } from './prefetch.ts';

test('items come in order, read ahead, and the error after them', async () => {
  let made = 0;
  async function* source() {
    while (made < 5) {
      made += 1;
      yield made;
    }
    throw new Error('the end');
  }
  const reader = prefetch(source(), 3);
  expect((await reader.next()).value).toBe(1);
  await new Promise(setImmediate);
  expect(made).toBeGreaterThanOrEqual(3);
  const rest: number[] = [];
  await expect(
    (async () => {
      for await (const item of reader) rest.push(item);
    })(),
  ).rejects.toThrow('the end');
  expect(rest).toEqual([2, 3, 4, 5]);
});

test('leaving early closes the source', async () => {
  let closed = false;
  async function* source() {
    try {
      for (let i = 0; ; i += 1) yield i;
    } finally {
      closed = true;
    }
  }
  for await (const item of prefetch(source(), 4)) if (item === 2) break;
  await new Promise(setImmediate);
  expect(closed).toBe(true);
});
