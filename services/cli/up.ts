// Every service in this process: real gRPC on loopback, one platform, jobs beside it. The only file that knows all services.
import { join } from 'node:path';
import { type ServiceName, serviceNames } from '#lib/contracts/services.ts';
import type { Environment } from '#lib/platform/config.ts';
import { type HomeLock, lockHome, readHolder } from '#lib/platform/embedded/home-lock.ts';
import { AppError, fromUnknown } from '#lib/platform/errors.ts';
import { freePorts } from '#lib/platform/free-ports.ts';
import { createLogger, openLogFile } from '#lib/platform/log.ts';
import { openPlatform, type Platform } from '#lib/platform/platform.ts';
import {
  createContext,
  type RunningService,
  type ServiceContext,
  type StartService,
} from '#lib/platform/run-service.ts';
import { type PlatformConfig, variableOf } from '#lib/platform/settings.ts';
import { openTelemetry, type Telemetry } from '#lib/platform/telemetry.ts';

export type Addresses = Readonly<Record<ServiceName, string>>;

export interface StartAllOptions {
  /** Each service's usual port (`strata up`), instead of free ones. */
  fixedPorts?: boolean;
}

export interface StartedServices {
  readonly addresses: Addresses;
  /** Stops taking work, lets jobs save theirs, then stops the rest. */
  stop(): Promise<void>;
}

/** A service's own configuration and start, loaded when they are needed. */
type Starter = (env: Environment, context: ServiceContext) => Promise<RunningService>;
const starter =
  <C>(
    config: () => Promise<{ loadConfig(env: Environment): C }>,
    main: () => Promise<{ start: StartService<C> }>,
  ): Starter =>
  async (env, context) => {
    const [{ loadConfig }, { start }] = await Promise.all([config(), main()]);
    return start(loadConfig(env), context);
  };

const starters = {
  tokenizer: starter(
    () => import('../tokenizer/config.ts'),
    () => import('../tokenizer/main.ts'),
  ),
  'data-sampler': starter(
    () => import('../data-sampler/config.ts'),
    () => import('../data-sampler/main.ts'),
  ),
  'weight-loader': starter(
    () => import('../weight-loader/config.ts'),
    () => import('../weight-loader/main.ts'),
  ),
  trainer: starter(
    () => import('../trainer/config.ts'),
    () => import('../trainer/main.ts'),
  ),
  evaluator: starter(
    () => import('../evaluator/config.ts'),
    () => import('../evaluator/main.ts'),
  ),
  inference: starter(
    () => import('../inference/config.ts'),
    () => import('../inference/main.ts'),
  ),
  orchestrator: starter(
    () => import('../orchestrator/config.ts'),
    () => import('../orchestrator/main.ts'),
  ),
  gateway: starter(
    () => import('../gateway/config.ts'),
    () => import('../gateway/main.ts'),
  ),
} satisfies Record<ServiceName, Starter>;

// Jobs read from these while they save their work: they stop last.
const neededByJobs: ServiceName[] = ['tokenizer', 'data-sampler', 'weight-loader'];
// A service comes after those that it asks. Stopped in the opposite order.
const startOrder = Object.keys(starters) as ServiceName[];

/** Starts everything on this home, which nobody else may be serving. */
export async function startAll(
  config: PlatformConfig,
  { fixedPorts = false }: StartAllOptions = {},
): Promise<StartedServices> {
  const lock = lockHome(config.home);
  const running = new Map<ServiceName, RunningService>();
  let platform: Platform | undefined;
  let telemetry: Telemetry | undefined;
  try {
    const destination = openLogFile(join(config.home, 'services.log'));
    const platformLog = createLogger({ service: 'platform', level: config.logLevel, destination });
    telemetry = await openTelemetry(config, { bind: '127.0.0.1', log: platformLog });
    platform = await openPlatform(config, { log: platformLog });
    const env = {
      ...config.jobEnvironment.reveal(),
      STRATA_HOME: config.home,
      ...(fixedPorts ? {} : await portSettings()),
    };
    for (const name of startOrder) {
      const log = createLogger({ service: name, level: config.logLevel, destination });
      const context = createContext({ name, config, platform, log, telemetry: telemetry.of(name) });
      running.set(name, await starters[name](env, context).catch(because(name)));
    }
    for (const [name, { ready }] of running) await ready?.catch(because(name));
    telemetry.setReady(true);
  } catch (error) {
    await stopAll({ running, platform, telemetry, lock });
    throw error;
  }
  const addresses = Object.fromEntries([...running].map(([name, { address }]) => [name, address])) as Addresses;
  lock.announce(addresses);
  let stopping: Promise<void> | undefined;
  return {
    addresses,
    stop: () => {
      stopping ??= stopAll({ running, platform, telemetry, lock });
      return stopping;
    },
  };
}

/** Where the services of this home run, if they do. */
export async function findRunning(home: string): Promise<Addresses | undefined> {
  const addresses = readHolder(home)?.addresses ?? {};
  return serviceNames.every((name) => addresses[name]) ? (addresses as Addresses) : undefined;
}

interface Started {
  running: Map<ServiceName, RunningService>;
  platform: Platform | undefined;
  telemetry: Telemetry | undefined;
  lock: HomeLock;
}

async function stopAll({ running, platform, telemetry, lock }: Started): Promise<void> {
  telemetry?.setReady(false);
  const inOrder = startOrder.toReversed();
  for (const name of inOrder.filter((name) => !neededByJobs.includes(name))) await running.get(name)?.stop();
  await platform?.jobs.close();
  for (const name of inOrder.filter((name) => neededByJobs.includes(name))) await running.get(name)?.stop();
  await platform?.close();
  await telemetry?.close();
  lock.release();
}

const because = (name: ServiceName) => (error: unknown) => {
  const { code, message } = fromUnknown(error);
  throw new AppError(code, `${name} does not start: ${message}`, { cause: error });
};

/** A free port for each service, told to it and to all the others. */
async function portSettings(): Promise<Record<string, string>> {
  const ports = await freePorts(serviceNames.length);
  return Object.fromEntries(serviceNames.map((name, index) => [variableOf(name, 'PORT'), String(ports[index])]));
}
