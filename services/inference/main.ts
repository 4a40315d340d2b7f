// The inference service: loaded models behind gRPC.
import { InferenceServiceDefinition } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { implement, serveGrpc } from '#lib/platform/grpc-server.ts';
import { runService, type StartService } from '#lib/platform/run-service.ts';
import { notTraced } from '#lib/platform/telemetry/tracing.ts';
import { reportActivity } from './activity.ts';
import { type InferenceConfig, loadConfig } from './config.ts';
import { subscribePromotions } from './events.ts';
import { createInferenceMetrics } from './metrics.ts';
import { type LoadedModel, type LoadModelOptions, loadModel } from './model.ts';
import { createModelPool, type ModelPool } from './model-pool.ts';
import { createModelThreads } from './model-threads.ts';
import { createInferenceService } from './service.ts';

export const start: StartService<InferenceConfig> = async (config, context) => {
  const { platform, log, connect, tracing } = context;
  const weightLoader = connect(WeightLoaderServiceDefinition, config.weightLoaderAddress);
  const { objects, events, state } = platform;
  const { maxWaiting } = config;
  const threads = createModelThreads({ threads: config.threads });
  const metrics = createInferenceMetrics(context.metrics, () => pool);
  const load = async (version: LoadModelOptions['version']): Promise<LoadedModel> => {
    const attributes = { 'gen_ai.request.model': version.ref.name, 'strata.model.version': version.ref.version };
    const loaded = await tracing.span('load model', { parent: tracing.traceparent() ?? notTraced, attributes }, () =>
      loadModel({ version, objects, threads, maxWaiting }),
    );
    metrics.loaded(loaded);
    return loaded;
  };
  const pool: ModelPool = createModelPool({
    ...config,
    log,
    weightLoader: weightLoader.client,
    load,
  });
  const activity = reportActivity({ state, log });
  const promotions = await subscribePromotions({ events, pool });
  const service = createInferenceService({ pool: activity.over(pool), metrics, tracing });
  return serveGrpc({
    ...context,
    ...config,
    services: [implement(InferenceServiceDefinition, service)],
    ready: preload(pool, config.preload),
    onStop: async () => {
      activity.stop();
      await promotions.stop();
      await Promise.all([pool.close(), weightLoader.close()]);
      await threads.close();
    },
  });
};

/** Readiness means that the configured models are loaded. */
async function preload(pool: ModelPool, names: string[]): Promise<void> {
  for (const text of names) {
    const [name = '', version = ''] = text.split('@');
    using _ = await pool.take({ name, version }, AbortSignal.timeout(10 * 60_000));
  }
}

if (import.meta.main) void runService({ name: 'inference', loadConfig, start });
