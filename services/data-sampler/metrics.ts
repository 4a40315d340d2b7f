// What the data sampler tells of the batches it makes and of the datasets there are.
import type { StreamBatchesResponse } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import type { Metrics } from '#lib/platform/telemetry/metrics.ts';
import type { DatasetStore } from './dataset-store.ts';

export interface DataSamplerMetrics {
  batchMade(batch: Pick<StreamBatchesResponse, 'rows' | 'blockSize'>): void;
}

export function createDataSamplerMetrics(metrics: Metrics, datasets: Pick<DatasetStore, 'list'>): DataSamplerMetrics {
  const batches = metrics.counter('strata_data_sampler_batches_total', { help: 'Batches streamed.' });
  const tokens = metrics.counter('strata_data_sampler_batch_tokens_total', {
    help: 'Places for tokens in the batches streamed: rows times block size.',
  });
  batches.add({}, 0);
  tokens.add({}, 0);
  metrics.observed('strata_data_sampler_datasets', {
    help: 'Versions of datasets that there are.',
    read: async () => [[{}, (await datasets.list()).length]],
  });
  return {
    batchMade({ rows, blockSize }) {
      batches.add({});
      tokens.add({}, rows * blockSize);
    },
  };
}
