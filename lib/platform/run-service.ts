// A service's life: configuration, platform, start, signals, drain. main.ts calls runService; `strata up` calls the same `start` functions.
import type { ServiceName } from '#lib/contracts/services.ts';
import { ConfigError } from './config.ts';
import { fromUnknown } from './errors.ts';
import { type Connect, createConnect } from './grpc-client.ts';
import { createLogger, type Logger } from './log.ts';
import { openPlatform, type Platform } from './platform.ts';
import type { PlatformConfig } from './settings.ts';
import { observeEvents } from './telemetry/observe-events.ts';
import { traceJobs } from './telemetry/trace-jobs.ts';
import { noTelemetry, openTelemetry, type ServiceTelemetry } from './telemetry.ts';

export interface ServiceContext extends ServiceTelemetry {
  platform: Platform;
  log: Logger;
  /** To other services. */
  connect: Connect;
}

export interface ContextOptions {
  name: string;
  config: PlatformConfig;
  platform: Platform;
  log: Logger;
  telemetry?: ServiceTelemetry;
}

/** What a service is started with: traces and metrics go with everything that leaves it. */
export function createContext(options: ContextOptions): ServiceContext {
  const { name, config, platform, log, telemetry = noTelemetry(name) } = options;
  return {
    ...telemetry,
    log,
    connect: createConnect(config, { log, ...telemetry }),
    platform: {
      ...platform,
      events: observeEvents(platform.events, telemetry),
      jobs: traceJobs(platform.jobs, telemetry),
    },
  };
}

export interface RunningService {
  /** `127.0.0.1:50051` */
  readonly address: string;
  /** When it can do its work (readiness); absent: at once. */
  readonly ready?: Promise<unknown>;
  /** Drains and stops; a second call waits for the first. */
  stop(): Promise<void>;
}

/** What every service's main.ts exports as `start`: builds dependencies, serves, says where. */
export type StartService<C> = (config: C, context: ServiceContext) => Promise<RunningService>;

export interface RunServiceOptions<C> {
  name: ServiceName;
  loadConfig: () => C;
  start: StartService<C>;
}

/** Runs one service as this process until SIGTERM or SIGINT. Exit 2: configuration; 1: it could not start. */
export async function runService<C extends PlatformConfig & { bind: string }>({
  name,
  loadConfig,
  start,
}: RunServiceOptions<C>): Promise<void> {
  const config = orExit(loadConfig);
  const log = createLogger({ service: name, level: config.logLevel });
  log.info({ config }, 'effective configuration');
  // In a container this is process 1, for which no signal has an effect that nobody listens for.
  const quit = () => process.exit(143);
  process.once('SIGTERM', quit);
  try {
    const telemetry = await openTelemetry(config, { bind: config.bind, log });
    const platform = await openPlatform(config, { log });
    const context = createContext({ name, config, platform, log, telemetry: telemetry.of(name) });
    const service = await start(config, context);
    telemetry.readyWith(service.ready);
    const signal = nextSignal(); // before anybody is told
    process.off('SIGTERM', quit);
    log.info({ address: service.address, metrics: telemetry.address }, 'serving');
    log.info({ signal: await signal }, 'stopping');
    telemetry.setReady(false);
    await service.stop();
    await platform.close();
    await telemetry.close();
    log.info('stopped');
  } catch (error) {
    log.fatal({ error }, fromUnknown(error).message);
    // Whatever was started before it failed must not keep a dead service alive.
    process.exit(1);
  }
}

function orExit<C>(loadConfig: () => C): C {
  try {
    return loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(2);
  }
}

/** The first SIGTERM or SIGINT; the second one ends the process at once. */
export const nextSignal = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    const received = (signal: NodeJS.Signals) => {
      process.once('SIGTERM', () => process.exit(143)).once('SIGINT', () => process.exit(130));
      resolve(signal);
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, received);
  });
