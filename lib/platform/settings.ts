// The settings that processes share: every service's, every worker's, and where the other services are.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { type ServiceName, services } from '#lib/contracts/services.ts';
import { type Config, type Secret, type Setting, setting, values } from './config.ts';
import { kubernetesSettings } from './kubernetes/settings.ts';
import { natsSettings } from './nats/settings.ts';
import { s3Settings } from './s3/settings.ts';
import { telemetrySettings } from './telemetry/settings.ts';
import { tlsSettings } from './tls.ts';

/** `data-sampler` -> `STRATA_DATA_SAMPLER_PORT`. */
export const variableOf = (service: ServiceName, suffix: string): string =>
  `STRATA_${service.toUpperCase().replaceAll('-', '_')}_${suffix}`;

/** The settings that every service has. */
export const commonSettings = (service: ServiceName) => ({
  ...platformSettings,
  bind: setting('STRATA_BIND', values.text, '127.0.0.1'),
  port: setting(variableOf(service, 'PORT'), values.port, String(services[service].port)),
  drainMs: setting('STRATA_DRAIN_MS', values.milliseconds, '5000'),
  maxConnectionAgeMs: setting('STRATA_MAX_CONNECTION_AGE_MS', values.milliseconds, '0'),
});

/** The settings of openPlatform, for processes that serve nothing (workers, the command line). */
export const platformSettings = {
  ...tlsSettings,
  ...natsSettings,
  ...s3Settings,
  ...kubernetesSettings,
  ...telemetrySettings,
  broker: setting('STRATA_BROKER', z.enum(['embedded', 'nats']), 'embedded'),
  objectStore: setting('STRATA_OBJECT_STORE', z.enum(['embedded', 's3']), 'embedded'),
  jobRunner: setting('STRATA_JOB_RUNNER', z.enum(['embedded', 'kubernetes']), 'embedded'),
  home: setting('STRATA_HOME', values.text, (env) => join(env.HOME || homedir(), '.strata')),
  cacheDir: setting('STRATA_CACHE_DIR', values.text, (env) =>
    join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'strata'),
  ),
  dataDir: setting('STRATA_DATA_DIR', values.text, ''),
  /** Uploaded files that nobody imported are removed after so many days. */
  uploadsKeepDays: setting('STRATA_UPLOADS_KEEP_DAYS', values.positiveInteger, '7'),
  device: setting('STRATA_DEVICE', z.enum(['cpu', 'cuda']), 'cpu'),
  logLevel: setting('STRATA_LOG_LEVEL', z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']), 'info'),
};

/** Where another service is reached: `STRATA_TOKENIZER_ADDRESS`, by default its port on this machine. */
export const addressOf = (service: ServiceName): Setting<string> =>
  setting(
    variableOf(service, 'ADDRESS'),
    z.string().regex(/^\S+:\d+$/, 'must be host:port'),
    (env) => `127.0.0.1:${env[variableOf(service, 'PORT')] || services[service].port}`,
  );

export type PlatformConfig = Config<typeof platformSettings> & {
  readonly jobEnvironment: Secret<Record<string, string>>;
};
