// The services that answer requests, in this process, on a home of their own: registry, inference, evaluator and gateway on free ports.
import { join } from 'node:path';
import type { ObjectRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { EvaluatorServiceDefinition } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import { InferenceServiceDefinition, type LoadedModel } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import {
  type ImportModelRequest,
  type ModelVersion,
  WeightLoaderServiceDefinition,
} from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import type { ServiceName } from '#lib/contracts/services.ts';
import { type Environment, readConfig } from '#lib/platform/config.ts';
import { connect } from '#lib/platform/grpc-client.ts';
import { createLogger, openLogFile } from '#lib/platform/log.ts';
import { openPlatform } from '#lib/platform/platform.ts';
import { createContext } from '#lib/platform/run-service.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import { loadConfig as loadEvaluator } from '../../services/evaluator/config.ts';
import { start as startEvaluator } from '../../services/evaluator/main.ts';
import { loadConfig as loadGateway } from '../../services/gateway/config.ts';
import { start as startGateway } from '../../services/gateway/main.ts';
import { loadConfig as loadInference } from '../../services/inference/config.ts';
import { start as startInference } from '../../services/inference/main.ts';
import { loadConfig as loadWeightLoader } from '../../services/weight-loader/config.ts';
import { start as startWeightLoader } from '../../services/weight-loader/main.ts';

export type ServingServices = Awaited<ReturnType<typeof startServing>>;

/** Starts them on `home`; `extra` is environment. Logs go to `home`/services.log. */
export async function startServing(home: string, extra: Environment = {}) {
  const free = Object.fromEntries(
    ['WEIGHT_LOADER', 'INFERENCE', 'EVALUATOR', 'GATEWAY'].map((name) => [`STRATA_${name}_PORT`, '0']),
  );
  const env: Record<string, string | undefined> = {
    ...process.env,
    STRATA_HOME: home,
    STRATA_DRAIN_MS: '200',
    ...free,
    ...extra,
  };
  const config = readConfig(platformSettings, env);
  const platform = await openPlatform(config);
  const destination = openLogFile(join(home, 'services.log'));
  const contextOf = (name: ServiceName) =>
    createContext({ name, config, platform, log: createLogger({ service: name, destination }) });

  const weightLoader = await startWeightLoader(loadWeightLoader(env), contextOf('weight-loader'));
  env.STRATA_WEIGHT_LOADER_ADDRESS = weightLoader.address;
  const inference = await startInference(loadInference(env), contextOf('inference'));
  env.STRATA_INFERENCE_ADDRESS = inference.address;
  const evaluator = await startEvaluator(loadEvaluator(env), contextOf('evaluator'));
  const gateway = await startGateway(loadGateway(env), contextOf('gateway'));
  const running = [gateway, evaluator, inference, weightLoader];
  const connections = {
    weightLoader: connect(WeightLoaderServiceDefinition, weightLoader.address),
    inference: connect(InferenceServiceDefinition, inference.address),
    evaluator: connect(EvaluatorServiceDefinition, evaluator.address),
  };
  return {
    home,
    platform,
    services: { weightLoader, inference, evaluator, gateway },
    weightLoader: connections.weightLoader.client,
    inference: connections.inference.client,
    evaluator: connections.evaluator.client,
    url: `http://${gateway.address}`,
    async stop() {
      await Promise.all(Object.values(connections).map((connection) => connection.close()));
      for (const service of running) await service.stop();
      await platform.close();
    },
  };
}

/** Uploads a model's files and makes a version of them. */
export async function importModel(
  { weightLoader }: Pick<ServingServices, 'weightLoader'>,
  name: string,
  files: Readonly<Record<string, Buffer>>,
  request: Partial<ImportModelRequest> = {},
): Promise<ModelVersion> {
  const uploaded: ObjectRef[] = [];
  for (const [filename, content] of Object.entries(files)) {
    const { file } = await weightLoader.uploadModelFile(uploadParts(filename, content));
    if (file) uploaded.push(file);
  }
  for await (const { event } of weightLoader.importModel({ name, files: uploaded, ...request })) {
    if (event?.$case === 'version') return event.value;
  }
  throw new Error('the import ended without a version');
}

async function* uploadParts(filename: string, content: Buffer) {
  yield { part: { $case: 'header' as const, value: { filename, sizeBytes: content.length, sha256: '' } } };
  for (let at = 0; at < content.length; at += 1 << 20) {
    yield { part: { $case: 'chunk' as const, value: content.subarray(at, at + (1 << 20)) } };
  }
}

/** Polls what is loaded until it is as wanted. */
export async function untilLoaded(
  { inference }: Pick<ServingServices, 'inference'>,
  wanted: (models: LoadedModel[]) => boolean,
): Promise<LoadedModel[]> {
  let models: LoadedModel[] = [];
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
    ({ models } = await inference.listLoadedModels({}));
    if (wanted(models)) return models;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`after 20 seconds this is loaded: ${JSON.stringify(models)}`);
}
