// The gateway: HTTP in, gRPC out; and gRPC in, for those who work with the platform from outside.
import type { FastifyInstance } from 'fastify';
import { EvaluatorServiceDefinition } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import { InferenceServiceDefinition } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { OrchestratorServiceDefinition } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { TrainerServiceDefinition } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { Connect } from '#lib/platform/grpc-client.ts';
import { runService, type StartService } from '#lib/platform/run-service.ts';
import { openDoor } from './auth/open-door.ts';
import { type GatewayConfig, loadConfig } from './config.ts';
import { type EdgeWiring, startEdge } from './edge/start-edge.ts';
import { createHold, holdWhileAway } from './hold.ts';
import { createGateway } from './service.ts';

/** Says beside the address of HTTP that of the gRPC edge, where there is one. */
export const start = (async (config, { platform, log, metrics, tracing, connect }) => {
  const connections = openConnections(config, connect);
  const { inference, weightLoader } = connections;
  const door = openDoor(config, { log, metrics, events: platform.events });
  const shared = new Set(config.sharedNames);
  const certificateFiles = config.edgeCertFile
    ? { STRATA_GATEWAY_TLS_CERT_FILE: config.edgeCertFile, STRATA_GATEWAY_TLS_KEY_FILE: config.edgeKeyFile }
    : undefined;
  const { gatekeeper, isLocalOnly } = door;
  const hold = config.holdMs ? createHold({ ...config, state: platform.state, log, metrics }) : undefined;
  const app = createGateway({
    ...config,
    log,
    telemetry: { metrics, tracing },
    gatekeeper,
    shared,
    certificateFiles,
    isLocalOnly,
    inference: hold ? holdWhileAway(inference.client, hold) : inference.client,
    weightLoader: weightLoader.client,
  });
  const owners = clientsOf(connections);
  const wiring: EdgeWiring = { log, metrics, tracing, hold, gatekeeper, shared, certificateFiles, owners };
  const edge = config.grpcPort === 'off' ? undefined : await startEdge(config, config.grpcPort, wiring);
  const address = await listen(app, config).catch(async (error) => {
    await edge?.stop();
    throw error;
  });
  return {
    address,
    edgeAddress: edge?.address,
    async stop() {
      const force = setTimeout(() => app.server.closeAllConnections(), config.drainMs);
      await Promise.all([app.close(), edge?.stop()]);
      clearTimeout(force);
      await door.close();
      await Promise.all(Object.values(connections).map((connection) => connection.close()));
    },
  };
}) satisfies StartService<GatewayConfig>;

const openConnections = (config: GatewayConfig, connect: Connect) => ({
  inference: connect(InferenceServiceDefinition, config.inferenceAddress),
  weightLoader: connect(WeightLoaderServiceDefinition, config.weightLoaderAddress),
  trainer: connect(TrainerServiceDefinition, config.trainerAddress),
  evaluator: connect(EvaluatorServiceDefinition, config.evaluatorAddress),
  orchestrator: connect(OrchestratorServiceDefinition, config.orchestratorAddress),
});

const clientsOf = ({ trainer, evaluator, orchestrator }: ReturnType<typeof openConnections>) => ({
  trainer: trainer.client,
  evaluator: evaluator.client,
  orchestrator: orchestrator.client,
});

async function listen(app: FastifyInstance, { bind, port }: GatewayConfig): Promise<string> {
  await app.listen({ host: bind, port }).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'EADDRINUSE' ? 'another program listens there' : cause.message;
    throw new AppError(
      'UNAVAILABLE',
      `cannot listen on ${bind}:${port}: ${reason}; set STRATA_GATEWAY_PORT to another port`,
      { cause },
    );
  });
  const address = app.server.address();
  return `${bind}:${typeof address === 'object' && address ? address.port : port}`;
}

if (import.meta.main) void runService({ name: 'gateway', loadConfig, start });
