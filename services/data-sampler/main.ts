// The data sampler: datasets and the order of samples.
import { DataSamplerServiceDefinition } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { implement, serveGrpc } from '#lib/platform/grpc-server.ts';
import { keepRemovingOldUploads } from '#lib/platform/old-uploads.ts';
import { runService, type StartService } from '#lib/platform/run-service.ts';
import { type DataSamplerConfig, loadConfig } from './config.ts';
import { createDatasetStore } from './dataset-store.ts';
import { createIngestion } from './ingest.ts';
import { createTokenizerLocator } from './locate-tokenizer.ts';
import { createDataSamplerMetrics } from './metrics.ts';
import { createOpenSplits } from './open-splits.ts';
import { createDataSamplerService } from './service.ts';

export const start: StartService<DataSamplerConfig> = async (config, context) => {
  const { platform, log, connect } = context;

  const weightLoader = connect(WeightLoaderServiceDefinition, config.weightLoaderAddress);
  const datasets = createDatasetStore(platform);
  const splits = createOpenSplits({ ...platform, maxOpen: config.maxOpenSplits });
  const locateTokenizer = createTokenizerLocator({ ...platform, models: weightLoader.client });
  const ingest = createIngestion({ ...config, ...platform, datasets, locateTokenizer });
  const stopping = new AbortController();
  const { objects } = platform;
  const { uploadsKeepDays: keepDays } = config;
  const removing = keepRemovingOldUploads({ objects, keepDays, log, signal: stopping.signal });
  const metrics = createDataSamplerMetrics(context.metrics, datasets);
  const service = createDataSamplerService({ ...platform, datasets, splits, ingest, metrics });
  return serveGrpc({
    ...context,
    ...config,
    services: [implement(DataSamplerServiceDefinition, service)],
    ready: datasets.announceMissing(),
    onStop: async () => {
      stopping.abort();
      await Promise.all([removing, splits.close(), weightLoader.close()]);
    },
  });
};

if (import.meta.main) void runService({ name: 'data-sampler', loadConfig, start });
