import { expect, test } from '@jest/globals';
import { toHtml } from './html.ts';
import { runningMean } from './loss-plot.ts';
import { toMarkdown } from './markdown.ts';
import { beatsBaselines, type Report } from './report.ts';

const report: Report = {
  title: 'A <report>',
  summary: 'What was made of what.',
  date: '2026-01-01T00:00:00.000Z',
  stages: [{ title: 'train a tokenizer', detail: 'docs@v1', seconds: 1.25 }],
  scores: [
    {
      task: 'language_modelling',
      metric: 'loss',
      value: 2.5,
      baselines: { uniform: 7, bigram: 3 },
      count: 1000,
      lowerIsBetter: true,
    },
    {
      task: 'classification',
      metric: 'accuracy',
      value: 0.9,
      baselines: { naive_bayes: 0.95 },
      count: 300,
      lowerIsBetter: false,
    },
  ],
  curves: [
    {
      title: 'Pretraining',
      train: [1, 2, 3].map((step) => ({ step, value: 8 - step })),
      validation: [{ step: 3, value: 5.5 }],
      baselines: { bigram: 5 },
    },
  ],
  samples: [{ title: 'base', prompt: 'a | b', text: '<script>alert(1)</script>', reference: '' }],
  confusion: { labels: ['ham', 'spam'], counts: [5, 1, 0, 4] },
  provenance: { seed: '1' },
};

test('a score is better only if it beats every baseline, in the direction of its metric', () => {
  expect(report.scores.map(beatsBaselines)).toEqual([true, false]);
});

test('the Markdown report has every score beside its baselines, and the confusion matrix', () => {
  const text = toMarkdown(report);
  expect(text).toContain('| language modelling | loss | 2.5000 | uniform 7.0000, bigram 3.0000 | yes | 1,000 |');
  expect(text).toContain('| classification | accuracy | 0.9000 | naive bayes 0.9500 | no | 300 |');
  expect(text).toContain('| ham | 5 | 1 |');
});

test('the HTML report runs no script, whatever a model has written', () => {
  const page = toHtml(report);
  expect(page).not.toContain('<script');
  expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  expect(page).toContain('<title>A &lt;report&gt;</title>');
});

test('a loss curve is drawn with its baseline and its last values', () => {
  const page = toHtml(report);
  expect(page).toContain('>validation 5.500<');
  expect(page).toMatch(/class="baseline" x1=/);
  expect(page).not.toContain('NaN');
});

test('the running mean of a constant is that constant from its first point on', () => {
  const points = [1, 2, 3].map((step) => ({ step, value: 4 }));
  for (const { value } of runningMean(points)) expect(value).toBeCloseTo(4, 12);
});
