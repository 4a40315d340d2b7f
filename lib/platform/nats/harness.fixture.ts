// The contract suites' harness for NATS: one server for a test file, a prefix of its own for each test.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { readConfig } from '../config.ts';
import type { CreateHarness } from '../contract/harness.ts';
import { openPlatform } from '../platform.ts';
import { platformSettings } from '../settings.ts';
import { type NatsServer, startNatsServer } from './nats-server.fixture.ts';

/** Call it at the top of a test file; the server starts with the first test and ends with the last. */
export function useNats(): { createHarness: CreateHarness; server: () => Promise<NatsServer> } {
  let started: Promise<NatsServer> | undefined;
  let count = 0;
  const server = () => (started ??= startNatsServer());
  afterAll(async () => (await started)?.dispose());
  return {
    server,
    async createHarness() {
      const { url } = await server();
      const home = await mkdtemp(join(tmpdir(), 'strata-contract-'));
      const env = {
        STRATA_HOME: home,
        STRATA_BROKER: 'nats',
        STRATA_NATS_URL: url,
        STRATA_NATS_PREFIX: `test-${++count}`,
      };
      return {
        open: () => openPlatform(readConfig(platformSettings, env)),
        config: JSON.stringify(env),
        dispose: () => rm(home, { recursive: true, force: true, maxRetries: 10 }),
      };
    },
  };
}

export interface Besides extends AsyncDisposable {
  readonly nc: NatsConnection;
  readonly jsm: JetStreamManager;
  /** The test's. */
  readonly prefix: string;
}

/** A test's server as any other client sees it; `config` is its harness's. */
export async function openBesides(config: string): Promise<Besides> {
  const { natsUrl, natsPrefix } = readConfig(platformSettings, JSON.parse(config));
  const nc = await connect({ servers: natsUrl });
  return { nc, jsm: await jetstreamManager(nc), prefix: natsPrefix, [Symbol.asyncDispose]: () => nc.close() };
}
