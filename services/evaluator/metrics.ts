// What the evaluator tells of evaluations and their workers.
import type { KeyValue } from '#lib/platform/key-value.ts';
import type { Metrics } from '#lib/platform/telemetry/metrics.ts';
import { listEvaluations, phases } from './evaluation.ts';

export interface EvaluatorMetrics {
  /** A worker ended before its evaluation. */
  workerLost(): void;
}

export function createEvaluatorMetrics(metrics: Metrics, state: KeyValue): EvaluatorMetrics {
  metrics.observed('strata_evaluator_evaluations', {
    help: 'Evaluations by phase.',
    labels: ['phase'],
    read: async () => {
      const known = await listEvaluations(state);
      return phases.map((phase) => [{ phase }, known.filter((one) => one.phase === phase).length] as const);
    },
  });
  const lost = metrics.counter('strata_evaluator_workers_lost_total', {
    help: 'Workers that ended before their evaluation.',
  });
  lost.add({}, 0);
  return { workerLost: () => lost.add({}) };
}
