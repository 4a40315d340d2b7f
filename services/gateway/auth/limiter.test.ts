import { expect, test } from '@jest/globals';
import type { Limits } from '#lib/platform/api-key.ts';
import { fromUnknown } from '#lib/platform/errors.ts';
import { createLimiter } from './limiter.ts';
import { anonymous } from './principal.ts';

function setUp(defaults: Limits = {}) {
  let now = 0;
  const limiter = createLimiter({ defaults, now: () => now });
  const enter = (name: string, limits: Limits) => limiter.enter({ ...anonymous, name, limits });
  const retryAfter = (name: string, limits: Limits): unknown => {
    try {
      enter(name, limits);
      return 'let in';
    } catch (error) {
      return fromUnknown(error).details.retryAfterSeconds;
    }
  };
  return { enter, retryAfter, wait: (ms: number) => (now += ms) };
}

test('a minute holds as many requests as are granted; then one for every share of a minute', () => {
  const { enter, retryAfter, wait } = setUp();
  for (let i = 0; i < 6; i++) enter('a', { requestsPerMinute: 6 });
  expect(retryAfter('a', { requestsPerMinute: 6 })).toBe(10);
  wait(4000);
  expect(retryAfter('a', { requestsPerMinute: 6 })).toBe(6);
  wait(6000);
  expect(retryAfter('a', { requestsPerMinute: 6 })).toBe('let in');
  expect(retryAfter('a', { requestsPerMinute: 6 })).toBe(10);
  expect(retryAfter('b', { requestsPerMinute: 6 })).toBe('let in');
});

test('an idle hour saves up a minute, not an hour', () => {
  const { enter, retryAfter, wait } = setUp();
  enter('a', { requestsPerMinute: 2 });
  wait(3_600_000);
  enter('a', { requestsPerMinute: 2 });
  enter('a', { requestsPerMinute: 2 });
  expect(retryAfter('a', { requestsPerMinute: 2 })).toBe(30);
});

test('tokens are counted afterwards: a long answer is paid for by waiting', () => {
  const { enter, retryAfter, wait } = setUp();
  enter('a', { tokensPerMinute: 60 }).spend(180);
  expect(retryAfter('a', { tokensPerMinute: 60 })).toBe(121);
  wait(121_000);
  expect(retryAfter('a', { tokensPerMinute: 60 })).toBe('let in');
});

test('a place is free again once, however often its caller leaves', () => {
  const { enter, retryAfter } = setUp();
  const first = enter('a', { concurrent: 2 });
  enter('a', { concurrent: 2 });
  expect(retryAfter('a', { concurrent: 2 })).toBe(1);
  first.leave();
  first.leave();
  enter('a', { concurrent: 2 });
  expect(retryAfter('a', { concurrent: 2 })).toBe(1);
});

test('who is refused for one limit pays nothing of the others', () => {
  const { enter, retryAfter } = setUp();
  const limits = { requestsPerMinute: 2, concurrent: 1 };
  const first = enter('a', limits);
  expect(retryAfter('a', limits)).toBe(1);
  first.leave();
  expect(retryAfter('a', limits)).toBe('let in');
});

test('defaults count where a key says nothing, field by field', () => {
  const { enter, retryAfter } = setUp({ requestsPerMinute: 1, concurrent: 5 });
  enter('a', {});
  expect(retryAfter('a', {})).toBe(60);
  enter('b', { requestsPerMinute: 2 });
  expect(retryAfter('b', { requestsPerMinute: 2 })).toBe('let in');
});
