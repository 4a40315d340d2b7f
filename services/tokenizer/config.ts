// The tokenizer service's configuration.
import { type Environment, readConfig, setting, values } from '#lib/platform/config.ts';
import { addressOf, commonSettings } from '#lib/platform/settings.ts';

const settings = {
  ...commonSettings('tokenizer'),
  weightLoaderAddress: addressOf('weight-loader'),
  maxLoaded: setting('STRATA_TOKENIZER_MAX_LOADED', values.positiveInteger, '8'),
};

export const loadConfig = (env: Environment = process.env) => readConfig(settings, env);
export type TokenizerConfig = ReturnType<typeof loadConfig>;
