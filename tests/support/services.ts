// The services that a training run needs, in this process, on a home of their own: real gRPC on free ports, real jobs.
import { join } from 'node:path';
import { DataSamplerServiceDefinition } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { TokenizerServiceDefinition } from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
import { TrainerServiceDefinition } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import type { ServiceName } from '#lib/contracts/services.ts';
import { type Environment, readConfig } from '#lib/platform/config.ts';
import { connect } from '#lib/platform/grpc-client.ts';
import { createLogger, openLogFile } from '#lib/platform/log.ts';
import { openPlatform } from '#lib/platform/platform.ts';
import { createContext, type RunningService } from '#lib/platform/run-service.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import { loadConfig as loadDataSampler } from '../../services/data-sampler/config.ts';
import { start as startDataSampler } from '../../services/data-sampler/main.ts';
import { loadConfig as loadTokenizer } from '../../services/tokenizer/config.ts';
import { start as startTokenizer } from '../../services/tokenizer/main.ts';
import { loadConfig as loadTrainer } from '../../services/trainer/config.ts';
import { start as startTrainer } from '../../services/trainer/main.ts';
import { loadConfig as loadWeightLoader } from '../../services/weight-loader/config.ts';
import { start as startWeightLoader } from '../../services/weight-loader/main.ts';

export type TrainingServices = Awaited<ReturnType<typeof startTrainingServices>>;

/** Starts them on `home`; whatever else stands in `extra` is environment. Logs go to `home`/services.log. */
export async function startTrainingServices(home: string, extra: Environment = {}) {
  const base: Environment = { ...process.env, STRATA_HOME: home, STRATA_DRAIN_MS: '200', ...extra };
  const config = readConfig(platformSettings, base);
  const platform = await openPlatform(config);
  const destination = openLogFile(join(home, 'services.log'));
  const contextOf = (name: ServiceName) =>
    createContext({ name, config, platform, log: createLogger({ service: name, destination }) });
  const env = (...services: Record<string, RunningService>[]): Environment => ({
    ...base,
    ...Object.fromEntries(
      services.flatMap(Object.entries).map(([name, { address }]) => [`STRATA_${name}_ADDRESS`, address]),
    ),
  });
  const free = (name: string): Environment => ({ [`STRATA_${name}_PORT`]: '0' });

  const tokenizer = await startTokenizer(loadTokenizer({ ...env(), ...free('TOKENIZER') }), contextOf('tokenizer'));
  const known = env({ TOKENIZER: tokenizer });
  const dataSampler = await startDataSampler(
    loadDataSampler({ ...known, ...free('DATA_SAMPLER') }),
    contextOf('data-sampler'),
  );
  const weightLoader = await startWeightLoader(
    loadWeightLoader({ ...known, ...free('WEIGHT_LOADER') }),
    contextOf('weight-loader'),
  );
  const trainer = await startTrainer(
    loadTrainer({
      ...env({ TOKENIZER: tokenizer, DATA_SAMPLER: dataSampler, WEIGHT_LOADER: weightLoader }),
      ...free('TRAINER'),
    }),
    contextOf('trainer'),
  );
  const connections = {
    tokenizer: connect(TokenizerServiceDefinition, tokenizer.address),
    dataSampler: connect(DataSamplerServiceDefinition, dataSampler.address),
    weightLoader: connect(WeightLoaderServiceDefinition, weightLoader.address),
    trainer: connect(TrainerServiceDefinition, trainer.address),
  };
  return {
    platform,
    addresses: { trainer: trainer.address },
    tokenizer: connections.tokenizer.client,
    dataSampler: connections.dataSampler.client,
    weightLoader: connections.weightLoader.client,
    trainer: connections.trainer.client,
    async stop() {
      await Promise.all(Object.values(connections).map((connection) => connection.close()));
      await trainer.stop();
      await platform.jobs.close();
      for (const service of [weightLoader, dataSampler, tokenizer]) await service.stop();
      await platform.close();
    },
  };
}
