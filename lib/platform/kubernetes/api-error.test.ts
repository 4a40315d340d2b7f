import { expect, test } from '@jest/globals';
import { toAppError } from './api-error.ts';

const forbidden =
  'jobs.batch is forbidden: User "system:serviceaccount:strata:trainer" cannot create resource "jobs" in API group "batch" in the namespace "strata"';

test.each([
  [403, { message: forbidden }, 'PERMISSION_DENIED', 'cannot create resource "jobs"'],
  [403, { message: 'pods "a" is forbidden: exceeded quota: gpus' }, 'RESOURCE_EXHAUSTED', 'exceeded quota: gpus'],
  [409, { message: 'jobs.batch "a" already exists', reason: 'AlreadyExists' }, 'ALREADY_EXISTS', 'already exists'],
  [409, { message: 'the object has been modified', reason: 'Conflict' }, 'ABORTED', 'modified'],
  [422, { message: 'Job.batch "a" is invalid: spec.x: Required value' }, 'INVALID_ARGUMENT', 'spec.x'],
  [410, { message: 'too old resource version' }, 'OUT_OF_RANGE', 'too old'],
  [429, { message: 'try again later' }, 'UNAVAILABLE', 'later'],
])('status %i with %j is %s', (status, body, code, words) => {
  expect(toAppError(status, JSON.stringify(body))).toMatchObject({ code, message: expect.stringContaining(words) });
});

test('an answer that is no Status, such as a proxy’s, keeps its beginning', () => {
  expect(toAppError(502, '<html>bad gateway</html>')).toMatchObject({
    code: 'UNAVAILABLE',
    message: 'Kubernetes: <html>bad gateway</html>',
  });
  expect(toAppError(503, '').message).toBe('Kubernetes: status 503');
});
