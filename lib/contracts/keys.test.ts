import { expect, test } from '@jest/globals';
import { keys, objectKeys } from './keys.ts';

test('metrics and checkpoints sort as their steps do', () => {
  const steps = [0, 9, 10, 999, 123_456_789];
  const metrics = steps.map((step) => keys.metric('r1', step));
  const checkpoints = steps.map((step) => objectKeys.checkpoint('r1', step));
  expect(metrics.toSorted()).toEqual(metrics);
  expect(checkpoints.toSorted()).toEqual(checkpoints);
});

test('every key lies below the prefix that lists its kind', () => {
  expect(keys.metric('r1', 1).startsWith(`${keys.metrics('r1')}.`)).toBe(true);
  expect(keys.run('r1').startsWith(`${keys.runs}.`)).toBe(true);
  expect(keys.pipelineRun('p').startsWith(`${keys.pipelineRuns}.`)).toBe(true);
  expect(objectKeys.checkpoint('r1', 1).startsWith(`${objectKeys.checkpoints('r1')}/`)).toBe(true);
  expect(objectKeys.label('sms', 'abc', 'a.csv').startsWith(`${objectKeys.inbox('sms')}/`)).toBe(true);
});
