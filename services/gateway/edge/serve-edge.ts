// The gRPC edge: every RPC of every service on one port, for callers with a key or a token.
import {
  type ChannelCredentials,
  Client,
  Server,
  type ServerCredentials,
  type ServiceDefinition,
  type StatusObject,
} from '@grpc/grpc-js';
import { AppError, fromUnknown } from '#lib/platform/errors.ts';
import { listen } from '#lib/platform/grpc/listen.ts';
import { createCallObserver, type ObserveCall } from '#lib/platform/grpc/observe-calls.ts';
import { channelOptions } from '#lib/platform/grpc-client.ts';
import { serverChannelOptions } from '#lib/platform/grpc-server.ts';
import { isConnectionFailure } from '#lib/platform/grpc-status.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { ServiceTelemetry } from '#lib/platform/telemetry.ts';
import type { Gatekeeper, Visit } from '../auth/gatekeeper.ts';
import type { Hold } from '../hold.ts';
import type { EdgeService } from './definitions.ts';
import { type IncomingCall, relay } from './relay.ts';
import { decode, encode, type Rpc, rpcs } from './rpcs.ts';
import { toError, toStatus } from './status.ts';
import { admit, createSees, type IsMine, resourceOf } from './tenancy.ts';

export interface EdgeOptions extends ServiceTelemetry {
  bind: string;
  port: number;
  credentials: ServerCredentials;
  addresses: Readonly<Record<EdgeService, string>>;
  /** Towards the services. */
  upstreamCredentials: ChannelCredentials;
  gatekeeper: Gatekeeper;
  isMine: IsMine;
  shared: ReadonlySet<string>;
  log: Logger;
  /** Calls of inference wait while it is away. */
  hold?: Hold | undefined;
  drainMs: number;
  /** The most that one call may send. */
  maxUploadBytes: number;
  maxConnectionAgeMs: number;
}

export interface Edge {
  readonly address: string;
  stop(): Promise<void>;
}

/** @throws {AppError} UNAVAILABLE where it cannot listen */
export async function serveEdge(options: EdgeOptions): Promise<Edge> {
  const { bind, port, credentials, addresses, upstreamCredentials, drainMs } = options;
  const server = new Server(serverChannelOptions(options));
  const clients = new Map<EdgeService, Client>();
  const clientOf = (service: EdgeService): Client => {
    const client = clients.get(service) ?? new Client(addresses[service], upstreamCredentials, channelOptions);
    clients.set(service, client);
    return client;
  };
  const observerOf = createCallObserver(options);
  for (const rpc of rpcs) {
    const observe = observerOf(`/${rpc.name}`);
    const handle = (call: IncomingCall): void =>
      void serveCall(rpc, call, { ...options, observe, client: clientOf(rpc.service) });
    server.addService(bytesOnly(rpc), { call: handle });
  }
  const hint = 'set STRATA_GATEWAY_GRPC_PORT to another port';
  const bound = await listen(server, { bind, port, credentials, hint });
  return {
    address: `${bind}:${bound}`,
    async stop() {
      const force = setTimeout(() => server.forceShutdown(), drainMs);
      await new Promise((resolve) => server.tryShutdown(resolve));
      clearTimeout(force);
      for (const client of clients.values()) client.close();
    },
  };
}

const asIs = (bytes: Buffer): Buffer => bytes;

const bytesOnly = ({ name }: Rpc): ServiceDefinition => ({
  call: {
    path: `/${name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
});

type CallOptions = EdgeOptions & { client: Client; observe: ObserveCall };

async function serveCall(rpc: Rpc, call: IncomingCall, options: CallOptions): Promise<void> {
  const observed = options.observe(call);
  const error = await observed.run(() => answer(rpc, call, options));
  observed.end(error?.code ?? 'OK', error);
}

/** Ends the call; gives what went wrong. */
async function answer(rpc: Rpc, call: IncomingCall, options: CallOptions): Promise<AppError | undefined> {
  const { gatekeeper, log } = options;
  let arrived: Visit | undefined;
  try {
    const visit = await gatekeeper({
      authorization: call.metadata.get('authorization')[0]?.toString(),
      scope: rpc.rule.scope,
      action: rpc.name,
      address: call.getPeer(),
    });
    arrived = visit;
    const relayed = await whileHere(call, (signal) => relayFor(rpc, call, { ...options, visit, signal }));
    const status = explain(rpc, relayed, log);
    const error = toError(status);
    visit.end(error);
    if (error) call.emit('error', status);
    else call.end(status.metadata);
    return error;
  } catch (error) {
    arrived?.end(error);
    if (!call.cancelled) call.emit('error', toStatus(error));
    return fromUnknown(error);
  }
}

/** grpc-js says `cancelled` at the end of every call; only before it somebody has left. */
async function whileHere<T>(call: IncomingCall, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  if (call.cancelled) leave();
  call.once('cancelled', leave);
  try {
    return await work(gone.signal);
  } finally {
    call.off('cancelled', leave);
  }
}

/** Where services are is nobody's business outside. */
function explain({ service, name }: Rpc, status: StatusObject, log: Logger): StatusObject {
  if (!isConnectionFailure(status)) return status;
  log.warn({ method: name, reason: status.details }, 'a service cannot be reached');
  return { ...status, details: `${service} cannot be reached just now: try again` };
}

type RelayForOptions = CallOptions & { visit: Visit; signal: AbortSignal };

/** Bytes go through as they are, unless somebody has to look inside; then what was looked at is what goes on. */
async function relayFor(rpc: Rpc, call: IncomingCall, options: RelayForOptions) {
  const { visit, client, isMine, shared, hold, maxUploadBytes, signal, tracing } = options;
  const { tenant } = visit.principal;
  const { rule, method } = rpc;
  const sees = tenant === undefined ? undefined : createSees(tenant, shared);

  let isFirst = true;
  let received = 0;
  const onRequest = async (bytes: Buffer): Promise<Buffer> => {
    received += bytes.length;
    if (received > maxUploadBytes) throw tooLarge(maxUploadBytes);
    const wantsResource = isFirst && rule.scope !== 'inference';
    isFirst = false;
    if (!sees && !wantsResource) return bytes;
    const request = decodeRequest(rpc, bytes);
    visit.resource ||= resourceOf(rule, request);
    if (tenant === undefined || !sees) return bytes;
    const admitted = await admit(rule, request, { tenant, sees, isMine, signal }).catch((error) => {
      visit.isRefused = true;
      throw error;
    });
    return encode(method.requestType, admitted);
  };
  const onResponse = (bytes: Buffer): Buffer => {
    const { shows, tokens } = rule;
    const counts = tokens && visit.lease.countsTokens;
    if (!counts && !(sees && shows)) return bytes;
    const response = decode(method.responseType, bytes);
    if (counts) visit.lease.spend(tokens(response));
    return sees && shows ? encode(method.responseType, shows(response, sees)) : bytes;
  };
  // Asking what is loaded is no reason to wake anybody.
  if (hold && rpc.service === 'inference' && !rpc.name.endsWith('/ListLoadedModels')) {
    await hold.connected(client, { signal, deadlineMs: Number(call.getDeadline()) - Date.now() });
  }
  signal.throwIfAborted();
  const traceparent = tracing.traceparent();
  return relay({ call, client, path: `/${rpc.name}`, onRequest, onResponse, signal, traceparent });
}

const tooLarge = (maxBytes: number) =>
  new AppError('RESOURCE_EXHAUSTED', `a call may send at most ${maxBytes} bytes through this gateway`);

function decodeRequest({ method, name }: Rpc, bytes: Buffer): object {
  try {
    return decode(method.requestType, bytes);
  } catch (cause) {
    throw new AppError('INVALID_ARGUMENT', `this is no request of ${name}`, { cause });
  }
}
