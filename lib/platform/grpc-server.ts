// One gRPC server for every service: health, reflection, error mapping, access log, a stated message limit, drain.
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type ChannelOptions, logVerbosity, Server, setLogVerbosity } from '@grpc/grpc-js';
import type { CompatServiceDefinition, ServiceImplementation } from 'nice-grpc';
import { HealthDefinition, HealthServiceImpl, HealthState } from 'nice-grpc-server-health';
import { ServerReflection, ServerReflectionService } from 'nice-grpc-server-reflection';
import { methodsOf } from './grpc/definition.ts';
import { maxMessageBytes } from './grpc/limits.ts';
import { listen } from './grpc/listen.ts';
import { createCallObserver, type ObserveOptions } from './grpc/observe-calls.ts';
import { type Handler, serveMethod } from './grpc/serve-method.ts';
import type { Logger } from './log.ts';
import type { RunningService } from './run-service.ts';
import { noTelemetry, type ServiceTelemetry } from './telemetry.ts';
import { serverCredentials, type TlsFiles } from './tls.ts';

export interface ServedService {
  readonly fullName: string;
  readonly definition: CompatServiceDefinition;
  readonly implementation: object;
}

/** Pairs a generated definition with its implementation. */
export const implement = <S extends CompatServiceDefinition & { fullName: string }>(
  definition: S,
  implementation: ServiceImplementation<S>,
): ServedService => ({
  fullName: definition.fullName,
  definition,
  implementation,
});

/** With certificates (tls.ts) clients must show theirs; without, the connection is plain. */
export interface ServeOptions extends Partial<TlsFiles>, Partial<ServiceTelemetry> {
  services: ServedService[];
  /** Host to listen on, and port; 0 takes a free one. */
  bind: string;
  port: number;
  log: Logger;
  /** Readiness (health of each full service name) comes true when this resolves. Liveness ("") is there at once. */
  ready?: Promise<unknown>;
  /** How long calls may go on after stop. Default 5 s. */
  drainMs?: number;
  /**
   * Clients are asked to connect anew after so long, and so find pods that were added meanwhile; calls that run are not touched. 0: never
   * (one machine has one server of each service).
   */
  maxConnectionAgeMs?: number;
  /** How often certificates are looked at. Default 10 s. */
  tlsEveryMs?: number;
  /** After the last call has ended, or when it cannot listen: stop subscriptions, close clients and workers. */
  onStop?: () => Promise<unknown>;
}

export interface GrpcServer extends RunningService {
  readonly port: number;
  setServing(serving: boolean): void;
}

/** As long as looking up an address takes on a busy cluster. */
const sendAwayMs = 2000;

/** Listens, and returns where. `stop` says NOT_SERVING, lets calls finish for `drainMs`, ends the rest, then runs `onStop`. */
export async function serveGrpc(options: ServeOptions): Promise<GrpcServer> {
  const { services, bind, log, ready = Promise.resolve(), drainMs = 5000, maxConnectionAgeMs, onStop } = options;
  const health = HealthState();
  const setServing = (serving: boolean): void => {
    for (const { fullName } of services) health.setStatus(serving ? 'healthy' : 'unhealthy', fullName);
  };
  // What goes wrong is in our own errors and log; grpc-js would print it a second time.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server(serverChannelOptions(options));
  const add = adder(server, { ...noTelemetry(), ...options });
  for (const { definition, implementation } of services) add(definition, implementation);
  add(HealthDefinition, HealthServiceImpl(health));
  add(ServerReflectionService, await reflection(services));
  setServing(false);
  const begin = async (): Promise<number> =>
    listen(server, {
      bind,
      port: options.port,
      credentials: serverCredentials(options, { log, everyMs: options.tlsEveryMs }),
      hint: `set ${portVariable(services)} to another port (0 takes a free one), or STRATA_BIND to another host`,
    });
  const port = await begin().catch(async (error) => {
    await Promise.resolve()
      .then(onStop)
      .catch((cause) => log.debug({ error: cause }, 'stopping after a failed start'));
    throw error;
  });
  let stopping: Promise<void> | undefined;
  void ready.then(
    () => stopping ?? setServing(true),
    (error) => log.error({ error }, 'the service does not become ready'),
  );
  // Clients connect anew while this still listens, and find the pods that stay: nobody is refused.
  const sendAway = (): Promise<void> => {
    server.drain(`${bind}:${port}`, drainMs);
    return delay(Math.min(sendAwayMs, drainMs));
  };
  const stop = async (): Promise<void> => {
    setServing(false);
    if (maxConnectionAgeMs) await sendAway();
    const drained = new Promise<unknown>((resolve) => server.tryShutdown(resolve));
    const patience = new AbortController();
    await Promise.race([drained, delay(drainMs, undefined, { signal: patience.signal }).catch(() => undefined)]);
    patience.abort();
    server.forceShutdown();
    await onStop?.();
  };
  return { address: `${bind}:${port}`, port, ready, setServing, stop: () => (stopping ??= stop()) };
}

const adder = (server: Server, options: ObserveOptions) => {
  const observe = createCallObserver(options);
  return (definition: CompatServiceDefinition, implementation: object): void => {
    const methods = methodsOf(definition);
    const handlers = methods.map(([name, method]) => {
      const handler: Handler = (request, context) =>
        (implementation as Record<string, Handler>)[name]?.(request, context) as ReturnType<Handler>;
      return [name, serveMethod(method, handler, observe(method.path))];
    });
    server.addService(Object.fromEntries(methods), Object.fromEntries(handlers));
  };
};

/** Limits of a server, ours and the edge's. */
export const serverChannelOptions = ({
  maxConnectionAgeMs = 0,
}: Pick<ServeOptions, 'maxConnectionAgeMs'>): ChannelOptions => ({
  'grpc.max_receive_message_length': maxMessageBytes,
  'grpc.max_send_message_length': maxMessageBytes,
  // Two servers on one port would share its calls at random.
  'grpc.so_reuseport': 0,
  ...(maxConnectionAgeMs && { 'grpc.max_connection_age_ms': maxConnectionAgeMs }),
});

async function reflection(services: ServedService[]) {
  const descriptors = await readFile(new URL('../contracts/gen/descriptors.binpb', import.meta.url));
  return ServerReflection(
    descriptors,
    services.map(({ fullName }) => fullName),
  );
}

// strata.data_sampler.v1.DataSamplerService -> STRATA_DATA_SAMPLER_PORT
const portVariable = ([service]: ServedService[]): string =>
  `STRATA_${(service?.fullName.split('.').at(1) ?? '<SERVICE>').toUpperCase()}_PORT`;
