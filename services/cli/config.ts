// Environment -> what the command line needs to know; the only file of this room that reads process.env.
import { type ServiceName, serviceNames } from '#lib/contracts/services.ts';
import { type Environment, readConfig } from '#lib/platform/config.ts';
import { addressOf, platformSettings, variableOf } from '#lib/platform/settings.ts';

type Addresses = Readonly<Record<ServiceName, string>>;

const addressSettings = Object.fromEntries(serviceNames.map((name) => [name, addressOf(name)])) as Record<
  ServiceName,
  ReturnType<typeof addressOf>
>;

const readAddresses = (env: Environment): Addresses => readConfig(addressSettings, env);

export const loadConfig = (env: Environment = process.env) => ({
  ...readConfig(platformSettings, env),
  /** Set as soon as one STRATA_<SERVICE>_ADDRESS is: then nothing is started or looked for on this machine. */
  remoteAddresses: serviceNames.some((name) => env[variableOf(name, 'ADDRESS')]) ? readAddresses(env) : undefined,
});

export type CliConfig = ReturnType<typeof loadConfig>;
