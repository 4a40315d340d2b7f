import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { AppError, fromUnknown, hasCode, invalidArgument, isAbortError, isAppError, notFound } from './errors.ts';

test('an invalid argument names its field, once in the message and once as a violation', () => {
  const error = invalidArgument('learning_rate', 'must be above 0');
  expect(error).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: 'learning_rate: must be above 0',
    violations: [{ field: 'learning_rate', description: 'must be above 0' }],
  });
});

test('what is missing is named, with what to do', () => {
  const { message } = notFound('model', 'gpt2', '`strata model list` shows what there is');
  expect(message).toBe('model "gpt2" does not exist; `strata model list` shows what there is');
});

test('an AppError stays itself, also one that came from elsewhere', () => {
  const error = new AppError('ABORTED', 'raced');
  expect(fromUnknown(error)).toBe(error);
  expect(isAppError(Object.assign(new Error('x'), { name: 'AppError', code: 'NOT_FOUND' }))).toBe(true);
  expect(isAppError(Object.assign(new Error('x'), { name: 'AppError', code: 'ENOENT' }))).toBe(false);
});

test('aborts, timeouts, system errors and anything else have their code, and keep their cause', () => {
  const abort = AbortSignal.abort().reason;
  expect(isAbortError(abort)).toBe(true);
  expect(fromUnknown(abort)).toMatchObject({ code: 'CANCELLED', cause: abort });
  expect(fromUnknown(new DOMException('late', 'TimeoutError'))).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  expect(fromUnknown(Object.assign(new Error('full'), { code: 'ENOSPC' }))).toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
  });
  expect(fromUnknown(new TypeError('bug'))).toMatchObject({ code: 'INTERNAL', message: 'bug' });
  for (const thrown of ['text', undefined, null, 7]) expect(fromUnknown(thrown)).toMatchObject({ code: 'INTERNAL' });
});

test("Node's own errors count as errors in every realm", async () => {
  const error = await readFile('/no/such/file').catch((thrown) => thrown);
  expect(fromUnknown(error).message).toContain('ENOENT');
  expect(hasCode(error, 'NOT_FOUND')).toBe(false);
});
