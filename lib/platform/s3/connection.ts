// Requests to one S3 store: signed by npm's minio client, sent with a time limit and the caller's abort signal, repeated while that can
// help. The client itself knows neither limits nor signals, so they are added where it hands a request to Node.
import { AsyncLocalStorage } from 'node:async_hooks';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, type ClientOptions } from 'minio';
import type { Config } from '../config.ts';
import { AppError, failedPrecondition } from '../errors.ts';
import type { Logger } from '../log.ts';
import { explain, isTransient, type Place } from './errors.ts';
import type { s3Settings } from './settings.ts';

export type S3Config = Config<typeof s3Settings>;

/** A request or an answer that stands still for this long is given up (and then tried again). */
export const silenceMs = 30_000;
/** A server that is there accepts a connection at once; one whose address was another's a moment ago never does. */
const connectMs = 3000;

export interface RequestOptions {
  signal?: AbortSignal | undefined;
  /** The object that the request is about, for messages. */
  key?: string;
}

export interface Connection {
  readonly client: Client;
  readonly place: Place;
  readonly patienceMs: number;
  /** Signs only: for URLs that others use, under the public name. */
  readonly publicClient: Client;
  /** Runs `send`, which makes one request and reads its answer, until it succeeds, cannot succeed, or patience ends. */
  request<T>(send: (attempt: number) => Promise<T>, options?: RequestOptions): Promise<T>;
  close(): void;
}

const ambientSignal = new AsyncLocalStorage<AbortSignal | undefined>();

export function connectS3(config: S3Config, log?: Logger): Connection {
  const place = { endpoint: config.s3Endpoint, bucket: config.s3Bucket };
  const patienceMs = config.s3PatienceMs;
  const { client, close } = createClient(config, config.s3Endpoint);
  const publicClient = createClient(config, config.s3PublicEndpoint || config.s3Endpoint).client;

  const request: Connection['request'] = async (send, { signal, key } = {}) => {
    const began = Date.now();
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      try {
        return await ambientSignal.run(signal, () => send(attempt));
      } catch (error) {
        signal?.throwIfAborted();
        const pauseMs = pauseBefore(attempt);
        if (!isTransient(error) || Date.now() + pauseMs - began > patienceMs) throw explain(error, place, key);
        if (attempt === 3) log?.warn({ ...place, key, error }, 'waiting for the object store');
        await delay(pauseMs, undefined, signal && { signal });
      }
    }
  };
  return { client, publicClient, place, patienceMs, request, close };
}

/** Servers like MinIO leave an idle connection open for long: what a rush has opened is not kept. */
const pooled = { keepAlive: true, maxFreeSockets: 8 };

/** 0.1, 0.2, 0.4 … 5 seconds, each by chance a little less, so that many clients do not come back at once. */
export const pauseBefore = (attempt: number): number =>
  Math.min(5000, 100 * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);

function createClient(config: S3Config, endpoint: string): { client: Client; close(): void } {
  const { protocol, hostname, port } = new URL(endpoint);
  const useSSL = protocol === 'https:';
  const accessKey = config.s3AccessKey.reveal();
  const secretKey = config.s3SecretKey.reveal();
  if (!accessKey || !secretKey) {
    throw failedPrecondition('STRATA_OBJECT_STORE=s3 needs STRATA_S3_ACCESS_KEY and STRATA_S3_SECRET_KEY');
  }
  const agent = useSSL ? new https.Agent({ ...pooled, ...authority(config) }) : new http.Agent(pooled);
  const client = new Client({
    endPoint: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || (useSSL ? 443 : 80),
    useSSL,
    accessKey,
    secretKey,
    region: config.s3Region,
    pathStyle: config.s3PathStyle,
    transport: limitedTransport(useSSL ? https : http),
    transportAgent: agent,
    retryOptions: { disableRetry: true },
  });
  return { client, close: () => agent.destroy() };
}

function authority({ s3CaFile }: S3Config): { ca?: Buffer } {
  if (!s3CaFile) return {};
  try {
    return { ca: readFileSync(s3CaFile) };
  } catch (cause) {
    throw failedPrecondition(`STRATA_S3_CA_FILE: ${(cause as Error).message}`, { cause });
  }
}

/** Node's `request`, aborted with the ambient signal, and by silence until the answer begins; whoever reads the answer watches it then. */
function limitedTransport(transport: typeof http | typeof https): NonNullable<ClientOptions['transport']> {
  const request = (options: http.RequestOptions, onResponse: (response: http.IncomingMessage) => void) => {
    const signal = ambientSignal.getStore();
    const sent = transport.request({ ...options, ...(signal && { signal }) }, (response) => {
      sent.setTimeout(0);
      onResponse(response);
    });
    sent.once('socket', (socket) => limitConnecting(socket, sent));
    return sent.setTimeout(silenceMs, () => sent.destroy(silence()));
  };
  return { request: request as typeof http.request };
}

/** The next attempt asks for the address again. */
function limitConnecting(socket: Socket, sent: http.ClientRequest): void {
  if (!socket.connecting) return;
  const timer = setTimeout(() => sent.destroy(unconnected()), connectMs);
  for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer));
}

const unconnected = (): Error =>
  Object.assign(new Error(`no connection within ${connectMs} ms`), { code: 'ETIMEDOUT' });

export const silence = (): Error => Object.assign(new Error(`nothing came for ${silenceMs} ms`), { code: 'ETIMEDOUT' });

/** The whole text of a small answer. */
export async function textOf(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of watched(response)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** The answer's chunks. Fails when nothing comes for a while, counted only while somebody waits for it. */
export async function* watched(response: http.IncomingMessage): AsyncGenerator<Buffer> {
  const iterator: AsyncIterator<Buffer> = response[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(() => response.destroy(silence()), silenceMs);
      const next = await iterator.next().finally(() => clearTimeout(timer));
      if (next.done) break;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
  if (!response.complete) throw cutShort();
}

const cutShort = (): Error => Object.assign(new Error('the answer was cut short'), { code: 'ECONNRESET' });

/** An answer that breaks the protocol: nothing to try again, nothing a setting mends. */
export const strangeAnswer = ({ endpoint }: Place, what: string, cause?: unknown): AppError =>
  new AppError('INTERNAL', `the object store at ${endpoint} answered ${what}`, { cause });
