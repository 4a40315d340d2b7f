import { expect, test } from '@jest/globals';
import { createTurns } from './turns.ts';

const never = new AbortController().signal;

test('one at a time, in order of coming, and whoever waits is told', async () => {
  const turns = createTurns();
  const happened: string[] = [];
  const work = async (name: string): Promise<void> => {
    using _turn = await turns.take(never, () => happened.push(`${name} waits`));
    happened.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    happened.push(`${name} ends`);
  };
  const all = Promise.all([work('a'), work('b'), work('c')]);
  expect([turns.running, turns.waiting]).toEqual([1, 2]);
  await all;
  expect([turns.running, turns.waiting]).toEqual([0, 0]);
  expect(happened).toEqual(['b waits', 'c waits', 'a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});

test('who gives up while waiting does not hold up those behind, nor let them pass those before', async () => {
  const { take } = createTurns();
  const first = await take(never, () => undefined);
  const impatient = new AbortController();
  const second = take(impatient.signal, () => undefined);
  let third: Disposable | undefined;
  const waiting = take(never, () => undefined).then((turn) => (third = turn));
  impatient.abort(new Error('no patience'));
  await expect(second).rejects.toThrow('no patience');
  await new Promise((resolve) => setImmediate(resolve));
  expect(third).toBeUndefined();
  first[Symbol.dispose]();
  await waiting;
  expect(third).toBeDefined();
});

test('ending a turn twice ends it once', async () => {
  const turns = createTurns();
  const first = await turns.take(never);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  expect(turns.running).toBe(0);
});

test('whoever leaves while waiting makes room and is told why', async () => {
  const turns = createTurns({ maxWaiting: 1 });
  using _ = await turns.take(never);
  const leaving = new AbortController();
  const waiting = turns.take(leaving.signal);
  leaving.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
  expect(turns.waiting).toBe(0);
});

test('too many waiting are refused', async () => {
  const turns = createTurns({ maxWaiting: 1 });
  const first = await turns.take(never);
  const second = turns.take(never);
  await expect(turns.take(never)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
});
