import { expect, test } from '@jest/globals';
import { createTurns } from './turns.ts';

test('one at a time, in order of coming, and whoever waits is told', async () => {
  const { take } = createTurns();
  const happened: string[] = [];
  const work = async (name: string): Promise<void> => {
    using _turn = await take(new AbortController().signal, () => happened.push(`${name} waits`));
    happened.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    happened.push(`${name} ends`);
  };
  await Promise.all([work('a'), work('b'), work('c')]);
  expect(happened).toEqual(['b waits', 'c waits', 'a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});

test('who gives up while waiting does not hold up those behind, nor let them pass those before', async () => {
  const { take } = createTurns();
  const first = await take(new AbortController().signal, () => undefined);
  const impatient = new AbortController();
  const second = take(impatient.signal, () => undefined);
  let third: Disposable | undefined;
  const waiting = take(new AbortController().signal, () => undefined).then((turn) => (third = turn));
  impatient.abort(new Error('no patience'));
  await expect(second).rejects.toThrow('no patience');
  await new Promise((resolve) => setImmediate(resolve));
  expect(third).toBeUndefined();
  first[Symbol.dispose]();
  await waiting;
  expect(third).toBeDefined();
});
