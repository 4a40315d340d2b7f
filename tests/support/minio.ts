// A real MinIO for tests: on a free port, with a temporary folder, ended with the test file.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fetchTool } from '#lib/platform/artifacts.ts';
import { type Environment, readConfig } from '#lib/platform/config.ts';
import { readTools, rowOf } from '#lib/platform/fetch/tables.ts';
import { freePort } from '#lib/platform/free-ports.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import type { Authority } from './certificates.ts';

const { cacheDir } = readConfig({ cacheDir: platformSettings.cacheDir }, { HOME: homedir(), ...process.env });
export const minioProgram = join(cacheDir, 'tools', `minio-${rowOf(readTools(), 'tool', 'minio').version}`, 'minio');

export interface MinioOptions {
  /** Of the server itself: MINIO_NOTIFY_…, for example. */
  env?: Environment;
  /** Serves TLS with a certificate of this authority. */
  authority?: Authority;
  /** Where objects go. Default: a temporary folder, removed at the end. */
  folder?: string;
}

export interface Minio {
  readonly endpoint: string;
  /** Settings of the platform: this server, a bucket of that name. */
  settings(bucket: string): Record<string, string>;
  /** SIGKILL, as a node that dies. */
  kill(): Promise<void>;
  /** Again, on the same port with the same folder. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const credentials = { user: 'strata-test', password: 'strata-test-secret' };

export async function startMinio({ env = {}, authority, folder: given }: MinioOptions = {}): Promise<Minio> {
  if (!existsSync(minioProgram)) await fetchTool('minio', { cacheDir });
  const home = await mkdtemp(join(tmpdir(), 'strata-minio-'));
  const folder = given ?? join(home, 'data');
  const certificates = join(home, 'certs');
  await mkdir(certificates);
  if (authority) {
    const { tlsCertFile, tlsKeyFile } = authority.issue('minio');
    await copyFile(tlsCertFile, join(certificates, 'public.crt'));
    await copyFile(tlsKeyFile, join(certificates, 'private.key'));
  }
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  let server: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    const options = ['--quiet', '--address', address, '--certs-dir', certificates, folder];
    server = spawn(minioProgram, ['server', ...options], {
      stdio: ['ignore', 'ignore', process.env.STRATA_TEST_SHOW_MINIO ? 'inherit' : 'ignore'],
      env: {
        ...env,
        HOME: home,
        PATH: process.env.PATH,
        MINIO_ROOT_USER: credentials.user,
        MINIO_ROOT_PASSWORD: credentials.password,
        MINIO_BROWSER: 'off',
      },
    });
    await untilOpen(port, server);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (!server || server.exitCode !== null || server.signalCode) return;
    const exit = once(server, 'exit');
    server.kill(signal);
    await exit;
  };
  await start();
  const endpoint = `${authority ? 'https' : 'http'}://${address}`;
  return {
    endpoint,
    settings: (bucket) => ({
      STRATA_OBJECT_STORE: 's3',
      STRATA_S3_ENDPOINT: endpoint,
      STRATA_S3_BUCKET: bucket,
      STRATA_S3_ACCESS_KEY: credentials.user,
      STRATA_S3_SECRET_KEY: credentials.password,
      ...(authority && { STRATA_S3_CA_FILE: authority.caFile }),
    }),
    start,
    kill: () => end('SIGKILL'),
    stop: async () => {
      await end('SIGTERM');
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function untilOpen(port: number, server: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (server.exitCode !== null) throw new Error(`MinIO ended with ${server.exitCode}`);
    if (await answers(port)) return;
    await delay(100);
  }
  throw new Error('MinIO does not answer after 30 s');
}

/** Any HTTP answer at all, TLS or not: MinIO listens once it can serve. */
const answers = (port: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/minio/health/ready`).then(
    ({ status }) => status === 200 || status === 400,
    () => false,
  );
