// The weight loader's configuration.
import { type Environment, readConfig, setting, values } from '#lib/platform/config.ts';
import { commonSettings } from '#lib/platform/settings.ts';

const settings = {
  ...commonSettings('weight-loader'),
  maxFileBytes: setting('STRATA_WEIGHT_LOADER_MAX_FILE_BYTES', values.positiveInteger, String(64 * 1024 ** 3)),
};

export const loadConfig = (env: Environment = process.env) => readConfig(settings, env);
export type WeightLoaderConfig = ReturnType<typeof loadConfig>;
