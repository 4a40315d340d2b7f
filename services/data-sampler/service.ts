// The data sampler's RPCs: check, find, let the domain do the work.
import type { DataSamplerServiceImplementation } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import type { SplitName } from '#lib/data/split.ts';
import { check, nameProblem, versionProblem } from '#lib/platform/check.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import { receiveUpload } from '#lib/platform/upload.ts';
import { splitNameOf } from './dataset-manifest.ts';
import type { DatasetStore } from './dataset-store.ts';
import type { Ingest } from './ingest.ts';
import type { DataSamplerMetrics } from './metrics.ts';
import { openMixture } from './open-mixture.ts';
import type { OpenSplits } from './open-splits.ts';
import { checkPreviewRequest, previewMixture } from './preview.ts';
import { checkStreamRequest, makeBatches } from './stream-batches.ts';

export interface DataSamplerDependencies {
  objects: ObjectStore;
  datasets: DatasetStore;
  splits: OpenSplits;
  ingest: Ingest;
  metrics: DataSamplerMetrics;
}

export const createDataSamplerService = (dependencies: DataSamplerDependencies): DataSamplerServiceImplementation => {
  const { objects, datasets, ingest, metrics } = dependencies;
  return {
    uploadSource: async (messages, { signal }) => ({ source: await receiveUpload(objects, messages, { signal }) }),

    async *createDataset(request, { signal }) {
      for await (const event of ingest(request, signal)) {
        if (event.kind === 'progress') yield { event: { $case: 'progress', value: event.progress } };
        else yield { event: { $case: 'dataset', value: event.dataset } };
      }
    },

    getDataset: async ({ dataset }) => {
      const ref = dataset ?? { name: '', version: '' };
      check({ 'dataset.name': nameProblem(ref.name), 'dataset.version': versionProblem(ref.version) });
      return { dataset: await datasets.get(ref) };
    },

    listDatasets: async () => ({ datasets: await datasets.list() }),

    previewMixture: async (request, { signal }) => {
      checkPreviewRequest(request);
      using mixture = await openMixture({
        ...dependencies,
        ...request,
        split: splitNameOf(request.split) as SplitName,
      });
      return await previewMixture(request, mixture, signal);
    },

    async *streamBatches(request, { signal }) {
      checkStreamRequest(request);
      using mixture = await openMixture({
        ...dependencies,
        ...request,
        split: splitNameOf(request.split) as SplitName,
      });
      for (const batch of makeBatches(request, mixture)) {
        signal.throwIfAborted();
        yield batch;
        metrics.batchMade(batch);
      }
    },
  };
};
