// Environment -> what the command line needs to know; the only file of this room that reads process.env.

import { z } from 'zod';
import { type ServiceName, serviceNames } from '#lib/contracts/services.ts';
import { type Environment, readConfig, secretSetting, setting, values } from '#lib/platform/config.ts';
import { addressOf, platformSettings, variableOf } from '#lib/platform/settings.ts';

type Addresses = Readonly<Record<ServiceName, string>>;

const addressSettings = Object.fromEntries(serviceNames.map((name) => [name, addressOf(name)])) as Record<
  ServiceName,
  ReturnType<typeof addressOf>
>;

const readAddresses = (env: Environment): Addresses => readConfig(addressSettings, env);

/** From outside all services are at one address: the gateway's edge. */
const edgeSettings = {
  /** `https://strata.example.com:443`, or `host:port` for a plain connection. */
  edgeAddress: setting(
    variableOf('gateway', 'ADDRESS'),
    z.union([z.literal(''), z.string().regex(/^(https?:\/\/)?[^\s/]+:\d+$/, 'must be host:port or https://host:port')]),
    '',
  ),
  apiKey: secretSetting('STRATA_API_KEY', z.string(), ''),
  /** The authority of the gateway's certificate, where the machine does not know it. */
  edgeCaFile: setting('STRATA_GATEWAY_CA_FILE', values.text, ''),
};

const isDirect = (env: Environment) =>
  serviceNames.some((name) => name !== 'gateway' && env[variableOf(name, 'ADDRESS')]);

export function loadConfig(env: Environment = process.env) {
  const direct = isDirect(env);
  const edge = direct ? { ...env, [variableOf('gateway', 'ADDRESS')]: '' } : env;
  return {
    ...readConfig(platformSettings, env),
    ...readConfig(edgeSettings, edge),
    /** Set as soon as one service's STRATA_<SERVICE>_ADDRESS is: then nothing is started or looked for on this machine. */
    remoteAddresses: direct ? readAddresses(env) : undefined,
  };
}

export type CliConfig = ReturnType<typeof loadConfig>;
