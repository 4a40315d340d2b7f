// Typed clients of other services: default deadline, retries where they are safe, keep-alive, errors as AppErrors.
import { setTimeout as delay } from 'node:timers/promises';
import { ChannelCredentials } from '@grpc/grpc-js';
import {
  type CallOptions,
  type Client,
  type ClientMiddlewareCall,
  type CompatServiceDefinition,
  createChannel,
  createClientFactory,
} from 'nice-grpc';
import { ClientError, Metadata } from 'nice-grpc-common';
import { errorDetailsClientMiddleware } from 'nice-grpc-error-details';
import type { Secret } from './config.ts';
import { AppError, hasCode } from './errors.ts';
import { maxMessageBytes } from './grpc-server.ts';
import { toAppError } from './grpc-status.ts';
import type { PlatformConfig } from './settings.ts';
import { clientCredentials, type TlsOptions } from './tls.ts';

export interface DeadlineOption {
  /** Milliseconds this call may take; unary calls have the connection's default, streams none. */
  deadlineMs?: number;
}

export interface Connection<S extends CompatServiceDefinition> {
  readonly client: Client<S, DeadlineOption>;
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** Default deadline of unary calls. 30 s unless given. */
  deadlineMs?: number;
  /** Default: plain. */
  credentials?: ChannelCredentials;
  /** For the gateway's edge: goes with every call. */
  apiKey?: Secret | undefined;
}

/**
 * Connects lazily; nothing fails before the first call. Pass `{ signal: context.signal }` with every call made on behalf of another one:
 * its cancellation and its deadline then reach down.
 */
export function connect<S extends CompatServiceDefinition>(
  definition: S,
  address: string,
  { deadlineMs = 30_000, credentials = ChannelCredentials.createInsecure(), apiKey }: ConnectOptions = {},
): Connection<S> {
  const channel = createChannel(address, credentials, channelOptions);
  const client = createClientFactory()
    // From the wire outwards.
    .use(errorDetailsClientMiddleware)
    .use(mapClientErrors(address))
    .use(retryWhereSafe)
    .use(withDeadline(deadlineMs))
    .use(withApiKey(apiKey))
    .create(definition, channel);
  return { client: client as Client<S, DeadlineOption>, close: async () => channel.close() };
}

/** `connect` with what this process's configuration says of it. */
export type Connect = typeof connect;

export const createConnect = (config: PlatformConfig, options: TlsOptions = {}): Connect => {
  const credentials = clientCredentials(config, options);
  return (definition, address, options) => connect(definition, address, { credentials, ...options });
};

export const channelOptions = {
  'grpc.max_receive_message_length': maxMessageBytes,
  'grpc.max_send_message_length': maxMessageBytes,
  // Services reach each other directly; a proxy of the machine is for the world outside.
  'grpc.enable_http_proxy': 0,
  // The default of 64 KiB makes large messages wait for the reader's acknowledgements.
  'grpc-node.flow_control_window': 4 * 1024 * 1024,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_reconnect_backoff_ms': 5_000,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
};

const mapClientErrors = (address: string) =>
  async function* errorMapping<Request, Response>(call: ClientMiddlewareCall<Request, Response>, options: CallOptions) {
    try {
      return yield* call.next(call.request, options);
    } catch (error) {
      throw error instanceof ClientError ? toAppError(error, address) : error;
    }
  };

const withDeadline = (defaultMs: number) =>
  async function* deadline<Request, Response>(
    call: ClientMiddlewareCall<Request, Response>,
    { deadlineMs, ...options }: CallOptions & DeadlineOption,
  ) {
    const isUnary = !call.requestStream && !call.responseStream;
    const ms = deadlineMs ?? (isUnary ? defaultMs : undefined);
    if (ms === undefined) return yield* call.next(call.request, options);
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), ms);
    const signal = options.signal ? AbortSignal.any([options.signal, timeout.signal]) : timeout.signal;
    try {
      return yield* call.next(call.request, { ...options, signal });
    } catch (error) {
      if (!timeout.signal.aborted) throw error;
      throw new AppError('DEADLINE_EXCEEDED', `${call.method.path}: no answer within ${ms} ms`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  };

const withApiKey = (apiKey: Secret | undefined) =>
  async function* bearer<Request, Response>(call: ClientMiddlewareCall<Request, Response>, options: CallOptions) {
    if (!apiKey) return yield* call.next(call.request, options);
    const metadata = Metadata(options.metadata).set('authorization', `Bearer ${apiKey.reveal()}`);
    return yield* call.next(call.request, { ...options, metadata });
  };

const retryDelaysMs = [100, 300, 900];

/** Repeats unary calls that a dead connection cut, where repeating changes nothing: Get…, List…, and whatever carries a request id. */
async function* retryWhereSafe<Request, Response>(call: ClientMiddlewareCall<Request, Response>, options: CallOptions) {
  for (const delayMs of call.responseStream || !isIdempotent(call) ? [] : retryDelaysMs) {
    try {
      return yield* call.next(call.request, options);
    } catch (error) {
      if (!hasCode(error, 'UNAVAILABLE')) throw error;
      await delay(delayMs * (0.5 + Math.random()), undefined, options.signal ? { signal: options.signal } : {});
    }
  }
  return yield* call.next(call.request, options);
}

function isIdempotent(call: ClientMiddlewareCall<unknown, unknown>): boolean {
  if (call.requestStream) return false;
  const { requestId } = call.request as { requestId?: string };
  return Boolean(requestId) || /\/(Get|List)[A-Z]\w*$/.test(call.method.path);
}
