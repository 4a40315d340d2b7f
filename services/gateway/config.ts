// The gateway's configuration.
import { type Environment, readConfig, setting, values } from '#lib/platform/config.ts';
import { addressOf, commonSettings } from '#lib/platform/settings.ts';

const settings = {
  ...commonSettings('gateway'),
  inferenceAddress: addressOf('inference'),
  weightLoaderAddress: addressOf('weight-loader'),
  /** Largest request body. */
  maxBodyBytes: setting('STRATA_GATEWAY_MAX_BODY_BYTES', values.positiveInteger, String(4 * 1024 * 1024)),
  /** Longest answer in time: what takes longer ends with a time-out. */
  requestTimeoutMs: setting('STRATA_GATEWAY_REQUEST_TIMEOUT_MS', values.milliseconds, String(10 * 60_000)),
};

export const loadConfig = (env: Environment = process.env) => readConfig(settings, env);
export type GatewayConfig = ReturnType<typeof loadConfig>;
