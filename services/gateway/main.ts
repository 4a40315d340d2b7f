// The gateway: HTTP in, gRPC out.
import { InferenceServiceDefinition } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { AppError } from '#lib/platform/errors.ts';
import { runService, type StartService } from '#lib/platform/run-service.ts';
import { type GatewayConfig, loadConfig } from './config.ts';
import { createGateway } from './service.ts';

export const start: StartService<GatewayConfig> = async (config, { log, connect }) => {
  const inference = connect(InferenceServiceDefinition, config.inferenceAddress);
  const weightLoader = connect(WeightLoaderServiceDefinition, config.weightLoaderAddress);
  const app = createGateway({ ...config, log, inference: inference.client, weightLoader: weightLoader.client });
  const { bind, port, drainMs } = config;
  await app.listen({ host: bind, port }).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'EADDRINUSE' ? 'another program listens there' : cause.message;
    throw new AppError(
      'UNAVAILABLE',
      `cannot listen on ${bind}:${port}: ${reason}; set STRATA_GATEWAY_PORT to another port`,
      { cause },
    );
  });
  const address = app.server.address();
  return {
    address: `${bind}:${typeof address === 'object' && address ? address.port : port}`,
    async stop() {
      const force = setTimeout(() => app.server.closeAllConnections(), drainMs);
      await app.close();
      clearTimeout(force);
      await Promise.all([inference.close(), weightLoader.close()]);
    },
  };
};

if (import.meta.main) void runService({ name: 'gateway', loadConfig, start });
