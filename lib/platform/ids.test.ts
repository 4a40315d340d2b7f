import { expect, test } from '@jest/globals';
import { createId, idOfRequest } from './ids.ts';

test('ids are 20 characters that Kubernetes, NATS and S3 take, and differ', () => {
  const ids = Array.from({ length: 1000 }, () => createId());
  expect(new Set(ids).size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^[0-9a-hjkmnp-tv-z]{20}$/);
});

test('ids sort by the time of their creation', () => {
  const times = [0, 1, 31, 32, 1_000_000, Date.UTC(2026, 0), Date.UTC(2026, 0) + 1, Date.UTC(2100, 0)];
  const ids = times.map((time) => createId(time));
  expect(ids.toSorted()).toEqual(ids);
});

test('the same request has the same id; another scope or another request another one; none a fresh one', () => {
  expect(idOfRequest('runs', 'a')).toBe(idOfRequest('runs', 'a'));
  expect(new Set([idOfRequest('runs', 'a'), idOfRequest('runs', 'b'), idOfRequest('models', 'a')]).size).toBe(3);
  expect(idOfRequest('runs', '')).not.toBe(idOfRequest('runs', ''));
});
