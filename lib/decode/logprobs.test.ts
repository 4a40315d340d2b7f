import { expect, test } from '@jest/globals';
import { scoreToken, softmax } from './logprobs.ts';
import { uniformAt } from './sampling.ts';

const { abs, exp, log } = Math;
const logits = Float32Array.from({ length: 500 }, (_, id) => Math.round(uniformAt(9, id) * 100) / 4);

test('a log-probability is the logit less the logarithm of the sum, also for logits that overflow alone', () => {
  const total = log(logits.reduce((sum, logit) => sum + exp(logit), 0));
  expect(abs(scoreToken(logits, 17).logprob - ((logits[17] as number) - total))).toBeLessThan(1e-9);
  const shifted = logits.map((logit) => logit + 1000);
  expect(abs(scoreToken(shifted, 17).logprob - scoreToken(logits, 17).logprob)).toBeLessThan(1e-4);
});

test('alternatives are the likeliest tokens in order, equal ones by id', () => {
  const order = [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b);
  for (const count of [0, 1, 5, 20, 499, 500, 600]) {
    expect(scoreToken(logits, 3, count).alternatives.map(({ id }) => id)).toEqual(order.slice(0, count));
  }
});

test('probabilities sum to 1', () => {
  expect(abs(softmax(logits).reduce((a, b) => a + b) - 1)).toBeLessThan(1e-5);
});
