import { expect, test } from '@jest/globals';
import { check, nameProblem, versionProblem } from './check.ts';

test('a request without problems passes', () => {
  check({ text: false, name: undefined, version: '' });
});

test('all problems are in one error', () => {
  expect(() => check({ text: 'must not be empty', name: false, max_tokens: 'is too large' })).toThrow(
    expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      message: 'text: must not be empty; max_tokens: is too large',
      violations: [
        { field: 'text', description: 'must not be empty' },
        { field: 'max_tokens', description: 'is too large' },
      ],
    }),
  );
});

test.each(['gpt2', 'smollm2-135m-instruct', 'a', 'x'.repeat(63)])('%s is a name', (name) => {
  expect(nameProblem(name)).toBe(false);
});
test.each(['', 'A', '-a', 'a-', 'a.b', 'a/b', '../a', 'ä', 'x'.repeat(64)])('%j is no name', (name) => {
  expect(nameProblem(name)).toContain(JSON.stringify(name));
});

test('versions are v1, v2, …; an empty one means the newest', () => {
  expect(['', 'v1', 'v120'].map(versionProblem)).toEqual([false, false, false]);
  for (const version of ['v0', '1', 'v01', 'latest']) expect(versionProblem(version)).toContain(version);
});
