// The data sampler's configuration.
import { type Environment, readConfig, setting, values } from '#lib/platform/config.ts';
import { addressOf, commonSettings } from '#lib/platform/settings.ts';

const settings = {
  ...commonSettings('data-sampler'),
  weightLoaderAddress: addressOf('weight-loader'),
  shardTokens: setting('STRATA_DATA_SAMPLER_SHARD_TOKENS', values.positiveInteger, String(32 * 1024 * 1024)),
  maxOpenSplits: setting('STRATA_DATA_SAMPLER_MAX_OPEN', values.positiveInteger, '64'),
};

export const loadConfig = (env: Environment = process.env) => readConfig(settings, env);
export type DataSamplerConfig = ReturnType<typeof loadConfig>;
