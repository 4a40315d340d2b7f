// The evaluator's configuration. What is evaluated travels in the request.
import { type Environment, readConfig, setting, values } from '#lib/platform/config.ts';
import { addressOf, commonSettings } from '#lib/platform/settings.ts';

const settings = {
  ...commonSettings('evaluator'),
  dataSamplerAddress: addressOf('data-sampler'),
  weightLoaderAddress: addressOf('weight-loader'),
  pollMs: setting('STRATA_EVALUATOR_POLL_MS', values.milliseconds, '250'),
};

export const loadConfig = (env: Environment = process.env) => readConfig(settings, env);
export type EvaluatorConfig = ReturnType<typeof loadConfig>;
