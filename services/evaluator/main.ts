// The evaluator's API and its supervisor. Evaluations themselves happen in jobs (worker/main.ts).
import { DataSamplerServiceDefinition } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { EvaluatorServiceDefinition } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { implement, serveGrpc } from '#lib/platform/grpc-server.ts';
import { runService, type StartService } from '#lib/platform/run-service.ts';
import { type EvaluatorConfig, loadConfig } from './config.ts';
import { createEvaluatorMetrics } from './metrics.ts';
import { createEvaluatorService } from './service.ts';
import { startSupervisor } from './supervisor.ts';
import { createTextScorer } from './text-scorer.ts';
import { addressVariables } from './worker-protocol.ts';

export const start: StartService<EvaluatorConfig> = async (config, context) => {
  const { platform, log, connect, tracing } = context;
  const dataSampler = connect(DataSamplerServiceDefinition, config.dataSamplerAddress);
  const weightLoader = connect(WeightLoaderServiceDefinition, config.weightLoaderAddress);
  const scorer = createTextScorer({ ...config, objects: platform.objects });
  const supervisor = startSupervisor({
    ...platform,
    log,
    tracing,
    metrics: createEvaluatorMetrics(context.metrics, platform.state),
    pollMs: config.pollMs,
    workerEnv: {
      [addressVariables.dataSampler]: config.dataSamplerAddress,
      [addressVariables.weightLoader]: config.weightLoaderAddress,
    },
  });
  const service = createEvaluatorService({
    state: platform.state,
    dataSampler: dataSampler.client,
    weightLoader: weightLoader.client,
    scorer,
    tracing,
  });
  return serveGrpc({
    ...context,
    ...config,
    services: [implement(EvaluatorServiceDefinition, service)],
    onStop: () => Promise.all([supervisor.stop(), scorer.close(), dataSampler.close(), weightLoader.close()]),
  });
};

if (import.meta.main) void runService({ name: 'evaluator', loadConfig, start });
