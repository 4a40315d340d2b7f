// The first connection: who we are, and an error that says what to do when there is no server, or it does not want us.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, credsAuthenticator, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';
import { AppError, failedPrecondition } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { PlatformConfig } from '../settings.ts';

export type NatsConfig = Pick<PlatformConfig, keyof typeof natsSettings>;

import type { natsSettings } from './settings.ts';

/** Connects, waiting for a server that is not there yet. */
export async function connectNats(config: NatsConfig, log?: Logger): Promise<NatsConnection> {
  const options = toConnectionOptions(config);
  const end = Date.now() + config.natsPatienceMs;
  for (let tries = 0; ; tries++) {
    try {
      return checkServer(await connect(options), config.natsUrl);
    } catch (error) {
      const known = toConnectError(error, config);
      if (known.code !== 'UNAVAILABLE' || Date.now() >= end) throw known;
      if (tries === 0) log?.warn({ address: config.natsUrl }, `waiting for NATS: ${(error as Error).message}`);
      await delay(250);
    }
  }
}

function toConnectionOptions(config: NatsConfig): NodeConnectionOptions {
  const { natsUrl, natsUser, natsPassword, natsCredentialsFile, natsCaFile, natsCertFile, natsKeyFile } = config;
  const usesTls = natsCaFile || natsCertFile || /^tls:/.test(natsUrl);
  return {
    servers: natsUrl.split(',').map((url) => url.trim()),
    name: `${hostname()} ${process.pid}`,
    // A server that dies in the middle of a greeting is waited for to the end.
    timeout: Math.max(500, Math.min(2000, config.natsPatienceMs)),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    // Credentials that were replaced, or a server that still loads its accounts, must not end the connection for ever.
    ignoreAuthErrorAbort: true,
    // A server that vanished without a word is noticed after two of these.
    pingInterval: 10_000,
    maxPingOut: 2,
    ...(natsUser && { user: natsUser, pass: natsPassword.reveal() }),
    // Read anew at each connection: both files may be replaced while we run.
    ...(natsCredentialsFile && { authenticator: credsAuthenticator(() => readFileSync(natsCredentialsFile)) }),
    ...(usesTls && {
      tls: {
        ...(natsCaFile && { caFile: natsCaFile }),
        ...(natsCertFile && { certFile: natsCertFile, keyFile: natsKeyFile }),
      },
    }),
  };
}

/** Per-message expiry came with 2.11. */
function checkServer(nc: NatsConnection, address: string): NatsConnection {
  const { version = '0.0.0', jetstream = false, max_payload = 0 } = nc.info ?? {};
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const problem =
    major < 2 || (major === 2 && minor < 11)
      ? `is version ${version}; 2.11 or newer is needed`
      : !jetstream
        ? 'runs without JetStream: start it with --jetstream'
        : max_payload < 1024 * 1024
          ? `takes messages of ${max_payload} bytes; set its max_payload to 1MB or more`
          : undefined;
  if (problem === undefined) return nc;
  void nc.close();
  throw failedPrecondition(`NATS at ${address} ${problem}`);
}

function toConnectError(error: unknown, { natsUrl, natsCaFile, natsCertFile }: NatsConfig): AppError {
  if (error instanceof AppError) return error;
  const { name, message } = error as Error;
  const say = (code: AppError['code'], text: string) => new AppError(code, text, { cause: error });
  if (name === 'AuthorizationError' || /authorization|credentials/i.test(message)) {
    const how = 'check STRATA_NATS_USER and STRATA_NATS_PASSWORD, or STRATA_NATS_CREDENTIALS_FILE';
    return say('UNAUTHENTICATED', `NATS at ${natsUrl} refuses us (${message}): ${how}`);
  }
  if (/ENOENT|EACCES|EISDIR/.test(message)) return say('FAILED_PRECONDITION', `the credentials of NATS: ${message}`);
  if (/certificate|tls|ssl|self.signed|altnames|doesn't exist/i.test(message)) {
    const how = 'check STRATA_NATS_CA_FILE, STRATA_NATS_CERT_FILE and STRATA_NATS_KEY_FILE';
    return say('FAILED_PRECONDITION', `NATS at ${natsUrl}: ${message}; ${how}`);
  }
  const start = 'start it or set STRATA_NATS_URL; STRATA_BROKER=embedded needs no server';
  const how = natsCaFile && !natsCertFile ? `${start}; one that wants a certificate of us is silent without it` : start;
  return say('UNAVAILABLE', `NATS does not answer at ${natsUrl} (${message}): ${how}`);
}
