// The trainer's API and its supervisor. Training itself happens in jobs (worker/main.ts).
import { DataSamplerServiceDefinition } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { TrainerServiceDefinition } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { implement, serveGrpc } from '#lib/platform/grpc-server.ts';
import { runService, type StartService } from '#lib/platform/run-service.ts';
import { createAnnouncer } from './announce.ts';
import { loadConfig, type TrainerConfig } from './config.ts';
import { createMetricLog } from './metric-log.ts';
import { createTrainerMetrics } from './metrics.ts';
import { createRunStore } from './run-store.ts';
import { createTrainerService } from './service.ts';
import { startSupervisor } from './supervisor.ts';
import { addressVariables } from './worker-protocol.ts';

export const start: StartService<TrainerConfig> = async (config, context) => {
  const { platform, log, connect, tracing } = context;
  const { state, events, jobs, objects } = platform;
  const dataSampler = connect(DataSamplerServiceDefinition, config.dataSamplerAddress);
  const weightLoader = connect(WeightLoaderServiceDefinition, config.weightLoaderAddress);
  const runs = createRunStore(state);
  const metricLog = createMetricLog(state);
  const metrics = createTrainerMetrics(context.metrics, runs);
  const service = createTrainerService({
    runs,
    metrics: metricLog,
    tracing,
    objects,
    dataSampler: dataSampler.client,
    weightLoader: weightLoader.client,
  });
  const server = await serveGrpc({
    ...context,
    ...config,
    services: [implement(TrainerServiceDefinition, service)],
    onStop: () => Promise.all([supervisor.stop(), dataSampler.close(), weightLoader.close()]),
  });
  const supervisor = startSupervisor({
    ...config,
    tracing,
    metrics,
    runs,
    jobs,
    announcer: createAnnouncer(events, runs),
    log,
    workerEnv: {
      [addressVariables.dataSampler]: config.dataSamplerAddress,
      [addressVariables.weightLoader]: config.weightLoaderAddress,
    },
  });
  return server;
};

if (import.meta.main) void runService({ name: 'trainer', loadConfig, start });
