import { expect, test } from '@jest/globals';
import type { Score } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { Gate } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { judge } from './gate.ts';

const gate: Gate = { metric: 'accuracy', threshold: 0.8, beatBaseline: true, minImprovement: 0.01 };
const accuracy = (value: number, baselines: Record<string, number> = { majority_class: 0.5 }): Score => ({
  metric: 'accuracy',
  value,
  count: 100,
  baselines,
  lowerIsBetter: false,
});
const loss = (value: number): Score => ({
  metric: 'loss',
  value,
  count: 100,
  baselines: { unigram: 3 },
  lowerIsBetter: true,
});
const lossGate: Gate = { metric: 'loss', threshold: 2.5, beatBaseline: true, minImprovement: 0 };

test.each([
  ['the first version above threshold and baseline', gate, accuracy(0.9), undefined, true],
  ['below the threshold', gate, accuracy(0.79), undefined, false],
  ['exactly the threshold', gate, accuracy(0.8), undefined, true],
  ['no better than the majority class', { ...gate, threshold: 0 }, accuracy(0.5), undefined, false],
  ['better than the version in service', gate, accuracy(0.92), accuracy(0.9), true],
  ['not better enough', gate, accuracy(0.905), accuracy(0.9), false],
  ['a step back where one is allowed', { ...gate, minImprovement: -0.05 }, accuracy(0.88), accuracy(0.9), true],
  ['worse than Naive Bayes, which is no gate', gate, accuracy(0.9, { naive_bayes: 0.95 }), undefined, true],
  ['no number', gate, accuracy(Number.NaN), undefined, false],
  ['a smaller loss', lossGate, loss(2), loss(2.2), true],
  ['a larger loss', lossGate, loss(2.3), loss(2.2), false],
  ['a loss above its bound', lossGate, loss(2.6), undefined, false],
])('%s', (_, rules, candidate, incumbent, promote) => {
  const verdict = judge(rules, candidate, incumbent);
  expect(verdict.promote).toBe(promote);
  expect(verdict.reason).toContain(candidate.metric);
});
