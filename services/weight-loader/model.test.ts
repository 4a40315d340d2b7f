import { expect, test } from '@jest/globals';
import {
  addVersion,
  type ModelRecord,
  movesOf,
  newestOf,
  newModel,
  promote,
  reserveVersion,
  resolveVersion,
  rollBack,
  targetOf,
  type VersionRecord,
} from './model.ts';

const version = (name: string) => ({ version: name }) as VersionRecord;
const withVersions = (...names: string[]): ModelRecord =>
  names.reduce((model, name) => addVersion(model, version(name)), newModel('m'));
const move = { alias: 'production', time: 't', reason: 'r' };

test('a request keeps its version, and each new one gets the next', () => {
  let model = newModel('m');
  for (const request of ['a', 'b', 'a']) model = reserveVersion(model, request);
  expect(model.requests).toEqual({ a: 'v1', b: 'v2' });
});

test('a version is added once, and the newest is the one with the largest number', () => {
  const model = withVersions('v10', 'v9', 'v10');
  expect(model.versions.map((each) => each.version)).toEqual(['v10', 'v9']);
  expect(newestOf(model)?.version).toBe('v10');
});

test('a reference is a version, an alias, or empty: production, or else the newest', () => {
  const model = withVersions('v1', 'v2');
  expect(resolveVersion(model, '')?.version).toBe('v2');
  const promoted = promote(model, 'v1', move);
  expect(resolveVersion(promoted, '')?.version).toBe('v1');
  expect(resolveVersion(promoted, 'production')?.version).toBe('v1');
  expect(resolveVersion(promoted, 'v2')?.version).toBe('v2');
  expect(resolveVersion(promoted, 'v3')).toBeUndefined();
  expect(resolveVersion(promoted, 'toString')).toBeUndefined();
});

test('promoting what is there already moves nothing', () => {
  const model = promote(withVersions('v1'), 'v1', move);
  expect(promote(model, 'v1', { ...move, time: 'later' })).toBe(model);
});

test('each rollback goes one promotion further back, and the history keeps every move', () => {
  let model = withVersions('v1', 'v2', 'v3');
  for (const each of ['v1', 'v2', 'v3']) model = promote(model, each, move);
  model = rollBack(model, move);
  expect(targetOf(model, 'production')).toBe('v2');
  model = rollBack(model, move);
  expect(targetOf(model, 'production')).toBe('v1');
  expect(() => rollBack(model, move)).toThrow('alias "production" of model "m" has pointed nowhere before v1');
  model = rollBack(promote(model, 'v3', move), move);
  expect(targetOf(model, 'production')).toBe('v1');
  expect(movesOf(model, 'production').map(({ version: to }) => to)).toEqual(['v1', 'v2', 'v3', 'v2', 'v1', 'v3', 'v1']);
  expect(() => rollBack(model, { ...move, alias: 'canary' })).toThrow('alias "canary" of model "m" does not exist');
});
