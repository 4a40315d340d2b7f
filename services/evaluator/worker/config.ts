// An evaluation worker's configuration: the platform, whom it talks to, and which evaluation it works on.
import { type Environment, readConfig, setting, values } from '#lib/platform/config.ts';
import { addressOf, platformSettings } from '#lib/platform/settings.ts';
import { workVariables } from '../worker-protocol.ts';

const settings = {
  ...platformSettings,
  dataSamplerAddress: addressOf('data-sampler'),
  weightLoaderAddress: addressOf('weight-loader'),
  evaluationId: setting(workVariables.evaluationId, values.text),
};

export const loadConfig = (env: Environment = process.env) => readConfig(settings, env);
export type WorkerConfig = ReturnType<typeof loadConfig>;
