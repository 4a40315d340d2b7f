// Typed clients of other services: default deadline, retries where they are safe, keep-alive, errors as AppErrors.
import { setTimeout as delay } from 'node:timers/promises';
import { ChannelCredentials, Client as GrpcClient } from '@grpc/grpc-js';
import type { Client, CompatServiceDefinition } from 'nice-grpc';
import type { Secret } from './config.ts';
import { hasCode } from './errors.ts';
import { callClientStream, callStream, callUnary } from './grpc/call-method.ts';
import { type Method, methodsOf } from './grpc/definition.ts';
import { maxMessageBytes } from './grpc/limits.ts';
import type { CallerOptions, DeadlineOption, Options } from './grpc/start-call.ts';
import type { PlatformConfig } from './settings.ts';
import { noTracing, type Tracing } from './telemetry/tracing.ts';
import { clientCredentials, type TlsOptions } from './tls.ts';

export type { DeadlineOption };

export interface Connection<S extends CompatServiceDefinition> {
  readonly client: Client<S, DeadlineOption>;
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** Default deadline of unary calls. 30 s unless given. */
  deadlineMs?: number;
  /** Default: plain. */
  credentials?: ChannelCredentials;
  /** Calls within a span carry it on. Default: nothing is traced. */
  tracing?: Tracing;
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
  options: ConnectOptions = {},
): Connection<S> {
  const { deadlineMs = 30_000, credentials = ChannelCredentials.createInsecure() } = options;
  const { apiKey, tracing = noTracing } = options;
  const client = new GrpcClient(address, credentials, channelOptions);
  const headers = apiKey ? { authorization: `Bearer ${apiKey.reveal()}` } : {};
  const caller = { client, address, tracing, headers };
  const calls = methodsOf(definition).map(([name, method]) => [name, toCall(method, caller, deadlineMs)]);
  return { client: Object.fromEntries(calls) as Client<S, DeadlineOption>, close: async () => client.close() };
}

/** Unary calls have a deadline, streams only where one is given. */
function toCall(method: Method, caller: CallerOptions, deadlineMs: number) {
  if (method.responseStream) {
    return (request: unknown, options: Options = {}) => callStream(method, caller, request, options);
  }
  if (method.requestStream) {
    return (requests: AsyncIterable<unknown>, options: Options = {}) =>
      callClientStream(method, caller, requests, options);
  }
  return (request: unknown, options?: Options) => callSafely(method, caller, request, { deadlineMs, ...options });
}

/** `connect` with what this process's configuration says of it. */
export type Connect = typeof connect;

export interface ConnectorOptions extends TlsOptions {
  tracing?: Tracing;
}

export const createConnect = (config: PlatformConfig, { tracing, ...options }: ConnectorOptions = {}): Connect => {
  const common = { credentials: clientCredentials(config, options), ...(tracing && { tracing }) };
  return (definition, address, own) => connect(definition, address, { ...common, ...own });
};

export const channelOptions = {
  'grpc.max_receive_message_length': maxMessageBytes,
  'grpc.max_send_message_length': maxMessageBytes,
  // Services reach each other directly; a proxy of the machine is for the world outside.
  'grpc.enable_http_proxy': 0,
  // The default of 64 KiB makes large messages wait for the reader's acknowledgements.
  'grpc-node.flow_control_window': 4 * 1024 * 1024,
  // Not more often: grpc-js takes a connection for broken on which it may not ping, and with it the streams that a server which stops, or a
  // connection that has come of age, lets go on to their end.
  'grpc.keepalive_time_ms': 300_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_reconnect_backoff_ms': 5_000,
  'grpc.initial_reconnect_backoff_ms': 200,
  // Pods come and go: the default of 30 s would leave one that was woken or replaced unknown for so long.
  'grpc.dns_min_time_between_resolutions_ms': 2_000,
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
};

const retryDelaysMs = [100, 300, 900];

/** Repeats unary calls that a dead connection cut, where repeating changes nothing: Get…, List…, and whatever carries a request id. */
async function callSafely(method: Method, caller: CallerOptions, request: unknown, options: Options): Promise<unknown> {
  if (!isIdempotent(method, request)) return callUnary(method, caller, request, options);
  const began = performance.now();
  for (const delayMs of retryDelaysMs) {
    try {
      return await callUnary(method, caller, request, left(options, began));
    } catch (error) {
      if (!hasCode(error, 'UNAVAILABLE')) throw error;
      await delay(delayMs * (0.5 + Math.random()), undefined, options.signal ? { signal: options.signal } : {});
    }
  }
  return callUnary(method, caller, request, left(options, began));
}

/** The deadline is that of all attempts together. */
const left = (options: Options, began: number): Options =>
  options.deadlineMs === undefined
    ? options
    : { ...options, deadlineMs: Math.max(1, options.deadlineMs - Math.floor(performance.now() - began)) };

function isIdempotent({ path }: Method, request: unknown): boolean {
  return Boolean((request as { requestId?: string }).requestId) || /\/(Get|List)[A-Z]\w*$/.test(path);
}
