// Where the services are: behind a gateway, at the configured addresses, a running `strata up` of this home, or all of them started in this process for one command.

import { readFileSync } from 'node:fs';
import { ChannelCredentials } from '@grpc/grpc-js';
import { DataSamplerServiceDefinition } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { EvaluatorServiceDefinition } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import { InferenceServiceDefinition } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { OrchestratorServiceDefinition } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { TokenizerServiceDefinition } from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
import { TrainerServiceDefinition } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { type ServiceName, serviceNames } from '#lib/contracts/services.ts';
import { type Connect, connect, createConnect } from '#lib/platform/grpc-client.ts';
import type { CliConfig } from './config.ts';
import type { Output } from './output.ts';
import { findRunning, startAll } from './up.ts';

const definitions = {
  tokenizer: { name: 'tokenizer', definition: TokenizerServiceDefinition },
  dataSampler: { name: 'data-sampler', definition: DataSamplerServiceDefinition },
  trainer: { name: 'trainer', definition: TrainerServiceDefinition },
  evaluator: { name: 'evaluator', definition: EvaluatorServiceDefinition },
  weightLoader: { name: 'weight-loader', definition: WeightLoaderServiceDefinition },
  inference: { name: 'inference', definition: InferenceServiceDefinition },
  orchestrator: { name: 'orchestrator', definition: OrchestratorServiceDefinition },
} as const satisfies Record<string, { name: ServiceName; definition: unknown }>;

const openClients = (connect: Connect, addresses: Readonly<Record<ServiceName, string>>) => ({
  tokenizer: connect(definitions.tokenizer.definition, addresses.tokenizer),
  dataSampler: connect(definitions.dataSampler.definition, addresses['data-sampler']),
  trainer: connect(definitions.trainer.definition, addresses.trainer),
  evaluator: connect(definitions.evaluator.definition, addresses.evaluator),
  weightLoader: connect(definitions.weightLoader.definition, addresses['weight-loader']),
  inference: connect(definitions.inference.definition, addresses.inference),
  orchestrator: connect(definitions.orchestrator.definition, addresses.orchestrator),
});

type Connections = ReturnType<typeof openClients>;

export type Services = { readonly [Name in keyof Connections]: Connections[Name]['client'] } & {
  /** Whether the services live in this process and end with it. */
  readonly startedHere: boolean;
  close(): Promise<void>;
};

/** @throws {AppError} when services have to be started here and cannot be */
export async function connectServices(config: CliConfig, output: Output): Promise<Services> {
  if (config.edgeAddress) return toServices(openEdge(config, output));
  const running = config.remoteAddresses ?? (await findRunning(config.home));
  if (running) return toServices(openClients(createConnect(config), running));
  output.note('starting the services in this process (`strata up` keeps them running)');
  const started = await startAll(config);
  return toServices(openClients(createConnect(config), started.addresses), () => started.stop());
}

/** One address for all of them, and a key. */
function openEdge({ edgeAddress, edgeCaFile, apiKey }: CliConfig, output: Output): Connections {
  const isTls = edgeAddress.startsWith('https://');
  if (!isTls && apiKey.reveal() && !/^(http:\/\/)?(127\.0\.0\.1|localhost|\[::1\]):/.test(edgeAddress)) {
    output.note(`the key goes to ${edgeAddress} unencrypted: write https:// where the gateway speaks TLS`);
  }
  const credentials = isTls
    ? ChannelCredentials.createSsl(edgeCaFile ? readFileSync(edgeCaFile) : null)
    : ChannelCredentials.createInsecure();
  const connectEdge: Connect = (definition, address, options) =>
    connect(definition, address, { credentials, ...(apiKey.reveal() && { apiKey }), ...options });
  const hostAndPort = edgeAddress.replace(/^https?:\/\//, '');
  const everywhere = Object.fromEntries(serviceNames.map((name) => [name, hostAndPort]));
  return openClients(connectEdge, everywhere as Record<ServiceName, string>);
}

function toServices(connections: Connections, stop?: () => Promise<void>): Services {
  return {
    tokenizer: connections.tokenizer.client,
    dataSampler: connections.dataSampler.client,
    trainer: connections.trainer.client,
    evaluator: connections.evaluator.client,
    weightLoader: connections.weightLoader.client,
    inference: connections.inference.client,
    orchestrator: connections.orchestrator.client,
    startedHere: stop !== undefined,
    async close() {
      await Promise.all(Object.values(connections).map((connection) => connection.close()));
      await stop?.();
    },
  };
}
