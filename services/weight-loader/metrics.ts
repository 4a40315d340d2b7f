// What the registry tells: how many models and versions there are, and how their aliases move.
import type { Metrics } from '#lib/platform/telemetry/metrics.ts';
import { shared } from '#lib/platform/telemetry/metrics.ts';
import type { ModelStore } from './model-store.ts';

export interface WeightLoaderMetrics {
  aliasMoved(how: 'promote' | 'rollback'): void;
}

export function createWeightLoaderMetrics(metrics: Metrics, models: Pick<ModelStore, 'list'>): WeightLoaderMetrics {
  const all = shared(() => models.list());
  metrics.observed('strata_weight_loader_models', {
    help: 'Models in the registry.',
    read: async () => [[{}, (await all()).length]],
  });
  metrics.observed('strata_weight_loader_versions', {
    help: 'Versions of all models together.',
    read: async () => [[{}, (await all()).reduce((sum, { versions }) => sum + versions.length, 0)]],
  });
  const moves = metrics.counter('strata_weight_loader_alias_moves_total', {
    help: 'Aliases moved: promote, rollback.',
    labels: ['how'],
  });
  for (const how of ['promote', 'rollback']) moves.add({ how }, 0);
  return { aliasMoved: (how) => moves.add({ how }) };
}
