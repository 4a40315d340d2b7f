// Progress messages with the time left, not more often than a person can read.
import type { Progress } from '#lib/contracts/gen/strata/common/v1/common.ts';

export interface ProgressMeter {
  report(phase: string, done: number, total: number, unit: string): void;
}

const shortestIntervalMs = 100;

/** The first and the last report of a phase always go out. */
export const createProgressMeter = (
  emit: (progress: Progress) => void,
  now: () => number = () => performance.now(),
): ProgressMeter => {
  let current = '';
  let began = 0;
  let lastSent = 0;
  return {
    report(phase, done, total, unit) {
      const at = now();
      const isNew = phase !== current;
      if (isNew) [current, began] = [phase, at];
      if (!isNew && done < total && at - lastSent < shortestIntervalMs) return;
      lastSent = at;
      const remainingSeconds = done > 0 && total > done ? ((at - began) / 1000 / done) * (total - done) : 0;
      emit({ phase, done, total, unit, remainingSeconds });
    },
  };
};
