import { expect, test } from '@jest/globals';
import { createPace } from './pace.ts';

test('what is left is the steps and the evaluations to come; the compiling first step does not count', () => {
  const pace = createPace({ maxSteps: 100, evalEvery: 30 });
  pace.step(20, 50);
  expect(pace.read(1)).toEqual({ stepSeconds: 20, tokensPerSecond: 2.5, remainingSeconds: 0 });
  pace.step(0.5, 50);
  pace.evaluation(3);
  // 70 steps, and evaluations after 60, 90 and 100.
  expect(pace.read(30)).toEqual({ stepSeconds: 0.5, tokensPerSecond: 100, remainingSeconds: 70 * 0.5 + 3 * 3 });
  expect(pace.read(100).remainingSeconds).toBe(0);
});
