// The gRPC edge of the gateway's configuration.
import { ServerCredentials } from '@grpc/grpc-js';
import type { Logger } from '#lib/platform/log.ts';
import type { ServiceTelemetry } from '#lib/platform/telemetry.ts';
import { clientCredentials, oneWayCredentials } from '#lib/platform/tls.ts';
import type { Gatekeeper } from '../auth/gatekeeper.ts';
import type { GatewayConfig } from '../config.ts';
import type { Hold } from '../hold.ts';
import { createIsMine, type Owners } from './is-mine.ts';
import { type Edge, serveEdge } from './serve-edge.ts';

export interface EdgeWiring extends ServiceTelemetry {
  log: Logger;
  hold: Hold | undefined;
  gatekeeper: Gatekeeper;
  shared: ReadonlySet<string>;
  certificateFiles: Record<string, string> | undefined;
  owners: Owners;
}

export function startEdge(config: GatewayConfig, port: number, wiring: EdgeWiring): Promise<Edge> {
  const { log, certificateFiles, owners } = wiring;
  return serveEdge({
    ...config,
    ...wiring,
    port,
    isMine: createIsMine(owners),
    credentials: certificateFiles ? oneWayCredentials(certificateFiles, { log }) : ServerCredentials.createInsecure(),
    upstreamCredentials: clientCredentials(config, { log }),
    addresses: {
      tokenizer: config.tokenizerAddress,
      'data-sampler': config.dataSamplerAddress,
      trainer: config.trainerAddress,
      evaluator: config.evaluatorAddress,
      'weight-loader': config.weightLoaderAddress,
      inference: config.inferenceAddress,
      orchestrator: config.orchestratorAddress,
    },
  });
}
