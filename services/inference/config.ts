// The inference service's configuration. How a text is sampled travels in the request.
import { z } from 'zod';
import { type Environment, readConfig, setting, values } from '#lib/platform/config.ts';
import { addressOf, commonSettings } from '#lib/platform/settings.ts';

const gibibyte = 1024 ** 3;

const settings = {
  ...commonSettings('inference'),
  weightLoaderAddress: addressOf('weight-loader'),
  /** `name`, `name@alias`, …, separated by commas: loaded before the service is ready. */
  preload: setting(
    'STRATA_INFERENCE_MODELS',
    z.string().transform((text) =>
      text
        .split(',')
        .map((name) => name.trim())
        .filter(Boolean),
    ),
    '',
  ),
  /** Threads of one forward pass; 0: every core. */
  threads: setting('STRATA_INFERENCE_THREADS', values.integer.min(0), '0'),
  /** Models beyond this are unloaded, the least recently used one first, as soon as nobody uses them. */
  maxLoadedBytes: setting('STRATA_INFERENCE_MAX_LOADED_BYTES', values.positiveInteger, String(8 * gibibyte)),
  /** Requests that may wait for one model; more are refused. */
  maxWaiting: setting('STRATA_INFERENCE_MAX_WAITING', values.integer.min(0), '64'),
};

export const loadConfig = (env: Environment = process.env) => readConfig(settings, env);
export type InferenceConfig = ReturnType<typeof loadConfig>;
