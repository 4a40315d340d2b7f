// Everything that stands between the outside and the services, of the configuration.
import type { EventBus } from '#lib/platform/event-bus.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { Metrics } from '#lib/platform/telemetry/metrics.ts';
import { createAudit } from './audit.ts';
import { type AuthConfig, createAuthenticator } from './authenticate.ts';
import { createGatekeeper, type Gatekeeper } from './gatekeeper.ts';
import { createLimiter } from './limiter.ts';

export interface DoorConfig extends AuthConfig {
  readonly bind: string;
  /** 0: none. */
  readonly requestsPerMinute: number;
  readonly tokensPerMinute: number;
  readonly concurrent: number;
}

export interface DoorOptions {
  log: Logger;
  events: Pick<EventBus, 'publish'>;
  metrics?: Metrics;
  /** How often the keys file is looked at. Default 2 s. */
  everyMs?: number;
}

export interface Door {
  readonly gatekeeper: Gatekeeper;
  /** Nobody is asked who they are, and only this machine reaches it. */
  readonly isLocalOnly: boolean;
  /** Waits for audit events that are on their way. */
  close(): Promise<void>;
}

const loopback = ['127.0.0.1', '::1', 'localhost'];

/** @throws {ConfigError} where keys cannot be read */
export function openDoor(config: DoorConfig, { log, events, metrics, everyMs }: DoorOptions): Door {
  const { authenticate, isOpen, stop } = createAuthenticator(config, { log, everyMs });
  const isLocal = loopback.includes(config.bind);
  if (isOpen && !isLocal) {
    const settings = 'STRATA_GATEWAY_KEYS_FILE or STRATA_GATEWAY_JWT_ISSUER';
    log.warn(
      { bind: config.bind },
      `the gateway is open to everybody who reaches it: set ${settings} (docs/security.md)`,
    );
  }
  const { requestsPerMinute, tokensPerMinute, concurrent } = config;
  const defaults = {
    ...(requestsPerMinute && { requestsPerMinute }),
    ...(tokensPerMinute && { tokensPerMinute }),
    ...(concurrent && { concurrent }),
  };
  const audit = createAudit({ log, events });
  const limiter = createLimiter({ defaults, now: () => performance.now() });
  return {
    isLocalOnly: isOpen && isLocal,
    gatekeeper: createGatekeeper({ authenticate, limiter, audit, ...(metrics && { onEnd: counted(metrics) }) }),
    async close() {
      stop();
      await audit.flush();
    },
  };
}

/** Every call from outside, over HTTP and gRPC; a refusal of ours counts as what it said. */
function counted(metrics: Metrics): (action: string, outcome: string) => void {
  const calls = metrics.counter('strata_gateway_calls_total', {
    help: 'Calls from outside, by what was asked for and the code it ended with; RESOURCE_EXHAUSTED: over a limit.',
    labels: ['action', 'code'],
  });
  return (action, code) => calls.add({ action, code });
}
