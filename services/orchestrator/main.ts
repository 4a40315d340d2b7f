// The orchestrator: events in, jobs out.
import { DataSamplerServiceDefinition } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { EvaluatorServiceDefinition } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import { OrchestratorServiceDefinition } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { TrainerServiceDefinition } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { implement, serveGrpc } from '#lib/platform/grpc-server.ts';
import { keepRunning } from '#lib/platform/keep-running.ts';
import { createScaler } from '#lib/platform/kubernetes/scaler.ts';
import type { Logger } from '#lib/platform/log.ts';
import { runService, type StartService } from '#lib/platform/run-service.ts';
import { loadConfig, type OrchestratorConfig } from './config.ts';
import { createDriver, type Driver } from './driver.ts';
import { subscribeAll } from './events.ts';
import { keepScale } from './idle.ts';
import { watchInbox } from './inbox.ts';
import { createOrchestratorMetrics } from './metrics.ts';
import { followPipelines } from './pipelines-file.ts';
import { createOrchestratorService } from './service.ts';

export const start: StartService<OrchestratorConfig> = async (config, context) => {
  const { platform, log, connect, tracing } = context;
  const { events, objects, state } = platform;
  const connections = {
    dataSampler: connect(DataSamplerServiceDefinition, config.dataSamplerAddress),
    trainer: connect(TrainerServiceDefinition, config.trainerAddress),
    evaluator: connect(EvaluatorServiceDefinition, config.evaluatorAddress),
    weightLoader: connect(WeightLoaderServiceDefinition, config.weightLoaderAddress),
  };
  const stopping = new AbortController();
  const { signal } = stopping;
  const driver = createDriver({
    state,
    log,
    now: Date.now,
    tracing,
    signal,
    metrics: createOrchestratorMetrics(context.metrics, { state, now: Date.now }),
    dataSampler: connections.dataSampler.client,
    trainer: connections.trainer.client,
    evaluator: connections.evaluator.client,
    weightLoader: connections.weightLoader.client,
  });
  if (config.pipelinesFile) await followPipelines({ path: config.pipelinesFile, state, log, signal });
  const subscriptions = await subscribeAll({ events, driver });
  const driving = drive(driver, { everyMs: config.tickMs, signal, log });
  const watching = config.inboxPollMs
    ? watchInbox({ objects, events, log, tracing, pollMs: config.inboxPollMs, signal })
    : undefined;
  const notified = config.minioSubject
    ? await (await import('./minio-notifications.ts')).followMinio(config, { objects, events, log })
    : undefined;
  const scaling = config.inferenceDeployment
    ? keepScale({
        scaler: createScaler({ deployment: config.inferenceDeployment, namespace: config.namespace }),
        state,
        idleMs: config.idleMinutes * 60_000,
        now: Date.now,
        log,
        signal,
      })
    : undefined;
  return serveGrpc({
    ...context,
    services: [
      implement(OrchestratorServiceDefinition, createOrchestratorService({ state, objects, events, log, driver })),
    ],
    ...config,
    onStop: async () => {
      stopping.abort();
      await notified?.stop();
      await Promise.all([driving, watching, scaling, ...subscriptions.map((subscription) => subscription.stop())]);
      await Promise.all(Object.values(connections).map((connection) => connection.close()));
    },
  });
};

interface DriveOptions {
  everyMs: number;
  signal: AbortSignal;
  log: Logger;
}

/** Until aborted, and what moves has come to a halt. */
async function drive(driver: Driver, { everyMs, signal, log }: DriveOptions): Promise<void> {
  const onFailure = (error: unknown): void => log.warn({ error }, 'pipelines cannot be driven for now');
  await Promise.all(
    [driver.follow, driver.tick].map((loop) => keepRunning(loop, { signal, onFailure, pauseMs: everyMs })),
  );
  await driver.settled();
}

if (import.meta.main) void runService({ name: 'orchestrator', loadConfig, start });
