// A worker's configuration: the platform, whom it talks to, and which attempt at which run it is. What is trained stands in the run.
import { type Environment, readConfig, setting, values } from '#lib/platform/config.ts';
import { addressOf, platformSettings } from '#lib/platform/settings.ts';
import { workVariables } from '../worker-protocol.ts';

const settings = {
  ...platformSettings,
  dataSamplerAddress: addressOf('data-sampler'),
  weightLoaderAddress: addressOf('weight-loader'),
  /** How long the data sampler may be away before the worker gives up. */
  patienceMs: setting('STRATA_TRAINER_PATIENCE_MS', values.milliseconds, '30000'),
  runId: setting(workVariables.runId, values.text),
  attempt: setting(workVariables.attempt, values.positiveInteger),
};

export const loadConfig = (env: Environment = process.env) => readConfig(settings, env);
export type WorkerConfig = ReturnType<typeof loadConfig>;
