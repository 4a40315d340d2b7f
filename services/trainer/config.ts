// The trainer's configuration. Hyper-parameters are not configuration: they travel in the request.
import { type Environment, readConfig, setting, values } from '#lib/platform/config.ts';
import { addressOf, commonSettings } from '#lib/platform/settings.ts';

const settings = {
  ...commonSettings('trainer'),
  dataSamplerAddress: addressOf('data-sampler'),
  weightLoaderAddress: addressOf('weight-loader'),
  maxRestarts: setting('STRATA_TRAINER_MAX_RESTARTS', values.integer.min(0), '3'),
  restartDelayMs: setting('STRATA_TRAINER_RESTART_DELAY_MS', values.milliseconds, '1000'),
  cancelGraceMs: setting('STRATA_TRAINER_CANCEL_GRACE_MS', values.milliseconds, '120000'),
};

export const loadConfig = (env: Environment = process.env) => readConfig(settings, env);
export type TrainerConfig = ReturnType<typeof loadConfig>;
