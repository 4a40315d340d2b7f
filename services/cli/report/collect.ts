// From the services' messages to the report card's parts.
import type { Evaluation } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import type { WatchedRun } from '../work/watch-run.ts';
import type { Curve, Report, ReportSample, ReportScore } from './report.ts';

export const scoresOf = ({ results }: Evaluation): ReportScore[] =>
  results.flatMap(({ task, scores }) => scores.map((score) => ({ task, ...score })));

export const samplesOf = (title: string, { results }: Evaluation): ReportSample[] =>
  results.flatMap(({ samples }) => samples.map((sample) => ({ title, ...sample })));

export function confusionOf({ results }: Evaluation): Report['confusion'] | undefined {
  const confusion = results.find((result) => result.confusion?.labels.length)?.confusion;
  return confusion && { labels: confusion.labels, counts: confusion.counts };
}

/** @param baselines horizontal lines: a plain baseline's loss on the same validation part */
export const curveOf = (title: string, { metrics }: WatchedRun, baselines: Record<string, number> = {}): Curve => ({
  title,
  train: metrics.map(({ step, loss }) => ({ step, value: loss })),
  validation: metrics.flatMap(({ step, validationLoss }) =>
    validationLoss === undefined ? [] : [{ step, value: validationLoss }],
  ),
  baselines,
});
