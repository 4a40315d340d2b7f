import { expect, test } from '@jest/globals';
import { createModelThreads } from './model-threads.ts';

const nobody = (): void => undefined;

test('the thread of an unloaded model is the next one’s; a second is not kept', async () => {
  const threads = createModelThreads({ threads: 1 });
  const [first, second] = [threads.take(nobody), threads.take(nobody)];
  expect(second).not.toBe(first);
  await threads.giveBack(first);
  await threads.giveBack(second);
  await expect(second.ended).resolves.toBeUndefined();
  expect(threads.take(nobody)).toBe(first);
  await threads.end(first);
});

test('a thread that ended is not given again', async () => {
  const threads = createModelThreads({ threads: 1 });
  const first = threads.take(nobody);
  await threads.giveBack(first);
  await first.close();
  const second = threads.take(nobody);
  expect(second).not.toBe(first);
  await threads.end(second);
});

test('after the close none is kept', async () => {
  const threads = createModelThreads({ threads: 1 });
  const [first, late] = [threads.take(nobody), threads.take(nobody)];
  await threads.giveBack(first);
  await threads.close();
  await threads.giveBack(late);
  await expect(Promise.all([first.ended, late.ended])).resolves.toEqual([undefined, undefined]);
});
