// The gate: is a candidate good enough to serve? A pure function of scores measured on the same data.
import type { Score } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { Gate } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';

export interface Verdict {
  promote: boolean;
  /** For people: why, with the numbers. */
  reason: string;
}

/** @param incumbent the version in service on the same data; undefined where none serves yet */
export function judge(gate: Gate, candidate: Score, incumbent: Score | undefined): Verdict {
  const { metric, value, baselines, lowerIsBetter } = candidate;
  const isBetter = (a: number, b: number) => (lowerIsBetter ? a < b : a > b);
  const shown = `${metric} ${format(value)}`;
  const refuse = (reason: string): Verdict => ({ promote: false, reason: `${shown}: ${reason}` });

  if (!Number.isFinite(value)) return refuse('is no number');
  if (gate.threshold && isBetter(gate.threshold, value))
    return refuse(`does not reach the threshold ${format(gate.threshold)}`);
  if (gate.beatBaseline) {
    const unbeaten = Object.entries(baselines).find(([name, baseline]) => isPlain(name) && !isBetter(value, baseline));
    if (unbeaten) return refuse(`does not beat the baseline ${unbeaten[0]} ${format(unbeaten[1])}`);
  }
  if (!incumbent) return { promote: true, reason: `${shown}: the first version in service` };
  const improvement = lowerIsBetter ? incumbent.value - value : value - incumbent.value;
  if (improvement < gate.minImprovement) {
    return refuse(
      `the version in service has ${format(incumbent.value)}, an improvement of ${format(gate.minImprovement)} is asked for`,
    );
  }
  return { promote: true, reason: `${shown}, the version before it ${format(incumbent.value)}` };
}

// Naive Bayes is printed beside a classifier, not demanded of it: on short texts it can be the better model.
const isPlain = (baseline: string): boolean => baseline !== 'naive_bayes';

const format = (value: number): string => String(Number(value.toFixed(4)));
