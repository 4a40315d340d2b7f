// Every service behind a gateway with keys: mutual TLS inside, HTTPS outside; callers come as `strata` does.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApiKey, hashApiKey, type KeyEntry } from '#lib/platform/api-key.ts';
import type { Environment } from '#lib/platform/config.ts';
import { freePort } from '#lib/platform/free-ports.ts';
import { loadConfig } from '../../services/cli/config.ts';
import { connectServices, type Services } from '../../services/cli/connect.ts';
import { createOutput } from '../../services/cli/output.ts';
import { findRunning } from '../../services/cli/up.ts';
import { createAuthority } from './certificates.ts';
import { startEverything } from './everything.ts';
import { nowhere } from './silent-output.ts';

export type KeySpec = Omit<KeyEntry, 'name' | 'sha256'>;

export interface EdgeServices {
  /** The services themselves, not through the edge. */
  inside: Services;
  /** https://… of HTTP. */
  url: string;
  /** host:port of gRPC. */
  address: string;
  caFile: string;
  keyOf(name: string): string;
  /** As `strata` with this key; an unknown name is taken for the credential itself; '' for none. */
  as(name: string): Promise<Services>;
  /** Writes the keys file anew. */
  writeKeys(specs: Record<string, KeySpec>): void;
  stop(): Promise<void>;
}

export async function startEdge(
  home: string,
  specs: Record<string, KeySpec>,
  extra: Environment = {},
): Promise<EdgeServices> {
  const keys = new Map<string, string>();
  const keysFile = join(home, 'keys.json');
  const keyOf = (name: string): string => {
    const key = keys.get(name) ?? createApiKey();
    keys.set(name, key);
    return key;
  };
  const writeKeys = (wanted: Record<string, KeySpec>): void => {
    const entries = Object.entries(wanted).map(([name, spec]): KeyEntry => {
      return { name, sha256: hashApiKey(keyOf(name)).toString('hex'), ...spec };
    });
    writeFileSync(keysFile, JSON.stringify(entries));
  };
  writeKeys(specs);
  const authority = createAuthority(home);
  const { tlsCertFile, tlsKeyFile, tlsCaFile } = authority.issue('services');
  const address = `127.0.0.1:${await freePort()}`;
  const inside = await startEverything(home, {
    STRATA_TLS_CERT_FILE: tlsCertFile,
    STRATA_TLS_KEY_FILE: tlsKeyFile,
    STRATA_TLS_CA_FILE: tlsCaFile,
    STRATA_GATEWAY_TLS_CERT_FILE: tlsCertFile,
    STRATA_GATEWAY_TLS_KEY_FILE: tlsKeyFile,
    STRATA_GATEWAY_KEYS_FILE: keysFile,
    STRATA_GATEWAY_GRPC_PORT: address.split(':')[1],
    ...extra,
  });
  const opened: Services[] = [];
  return {
    inside,
    url: `https://${(await findRunning(home))?.gateway}`,
    address,
    caFile: authority.caFile,
    keyOf,
    writeKeys,
    async as(name) {
      const config = loadConfig({
        STRATA_HOME: home,
        STRATA_GATEWAY_ADDRESS: `https://${address}`,
        STRATA_GATEWAY_CA_FILE: authority.caFile,
        STRATA_API_KEY: keys.get(name) ?? name,
      });
      const services = await connectServices(
        config,
        createOutput({ json: true, stdout: nowhere(), stderr: nowhere() }),
      );
      opened.push(services);
      return services;
    },
    async stop() {
      for (const services of opened) await services.close();
      await inside.close();
    },
  };
}
