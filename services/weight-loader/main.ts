// The registry of models, and the way in and out of it.
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { implement, serveGrpc } from '#lib/platform/grpc-server.ts';
import { runService, type StartService } from '#lib/platform/run-service.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { createAnnouncer } from './announce.ts';
import { loadConfig, type WeightLoaderConfig } from './config.ts';
import { createConverter } from './convert/converter.ts';
import { createWeightLoaderMetrics } from './metrics.ts';
import { createModelStore } from './model-store.ts';
import { createWeightLoaderService } from './service.ts';

export const start: StartService<WeightLoaderConfig> = async (config, context) => {
  const { platform } = context;
  const { state, events, objects } = platform;
  const models = createModelStore(state);
  const announcer = createAnnouncer(events);
  for (const model of await models.list()) await announcer.announce(model);
  const service = createWeightLoaderService({
    models,
    objects,
    announcer,
    converter: createConverter(),
    maxFileBytes: config.maxFileBytes,
    codeVersion: packageJson.version,
    metrics: createWeightLoaderMetrics(context.metrics, models),
  });
  return serveGrpc({ ...context, ...config, services: [implement(WeightLoaderServiceDefinition, service)] });
};

if (import.meta.main) void runService({ name: 'weight-loader', loadConfig, start });
