import { expect, test } from '@jest/globals';
import { createTurns } from './turns.ts';

const never = new AbortController().signal;

test('requests get their turns one after the other, in the order they came', async () => {
  const turns = createTurns(10);
  const order: string[] = [];
  const first = await turns.take(never);
  const others = ['second', 'third'].map(async (name) => {
    using _ = await turns.take(never);
    order.push(name);
  });
  expect([turns.running, turns.waiting]).toEqual([1, 2]);
  first[Symbol.dispose]();
  await Promise.all(others);
  expect(order).toEqual(['second', 'third']);
  expect([turns.running, turns.waiting]).toEqual([0, 0]);
});

test('ending a turn twice ends it once', async () => {
  const turns = createTurns(10);
  const first = await turns.take(never);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  expect(turns.running).toBe(0);
});

test('whoever leaves while waiting makes room and is told why', async () => {
  const turns = createTurns(1);
  using _ = await turns.take(never);
  const leaving = new AbortController();
  const waiting = turns.take(leaving.signal);
  leaving.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
  expect(turns.waiting).toBe(0);
});

test('too many waiting are refused', async () => {
  const turns = createTurns(1);
  const first = await turns.take(never);
  const second = turns.take(never);
  await expect(turns.take(never)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
});
