// A process's telemetry: one registry of metrics, one exporter of traces, one HTTP port; each service gets its own view of them.
import packageJson from '../../package.json' with { type: 'json' };
import type { Logger } from './log.ts';
import { createMetricRegistry, type MetricRegistry, type Metrics } from './telemetry/metrics.ts';
import { serveMetrics } from './telemetry/metrics-server.ts';
import { observeProcess } from './telemetry/process-metrics.ts';
import type { TelemetryConfig } from './telemetry/settings.ts';
import { noTracing, type Tracing } from './telemetry/tracing.ts';

export interface ServiceTelemetry {
  readonly tracing: Tracing;
  readonly metrics: Metrics;
}

export interface Telemetry {
  readonly registry: MetricRegistry;
  /** Where /metrics is; absent: nowhere. */
  readonly address?: string;
  of(service: string): ServiceTelemetry;
  /** What /readyz says. False until told otherwise. */
  setReady(ready: boolean): void;
  /** It becomes true when this resolves. */
  readyWith(ready?: Promise<unknown>): void;
  /** Sends the last spans. */
  close(): Promise<void>;
}

export interface OpenTelemetryOptions {
  /** Host of the HTTP port; without it there is none, whatever the configuration says (jobs, commands). */
  bind?: string;
  /** Is told of metrics that cannot be read. */
  log?: Logger;
}

/** Opens what the configuration asks for, and loads no more than that. */
export async function openTelemetry(config: TelemetryConfig, options: OpenTelemetryOptions = {}): Promise<Telemetry> {
  const { bind, log } = options;
  const registry = createMetricRegistry((error, metric) => log?.warn({ error, metric }, 'a metric cannot be read'));
  const version = config.buildVersion || packageJson.version;
  const tracing = config.otlpEndpoint
    ? (await import('./telemetry/open-tracing.ts')).openTracing({ ...config, buildVersion: version })
    : undefined;
  let isReady = false;
  const setReady = (ready: boolean): void => {
    isReady = ready;
  };
  const isServed = bind !== undefined && config.metricsPort > 0;
  registry.forProcess.observed('strata_ready', {
    help: '1 where the process can do its work, as /readyz says.',
    read: () => [[{}, Number(isReady)]],
  });
  const observed = isServed ? observeProcess(registry.forProcess, version) : undefined;
  const port = config.metricsPort;
  const server = isServed ? await serveMetrics({ bind, port, registry, isReady: () => isReady }) : undefined;
  return {
    registry,
    ...(server && { address: server.address }),
    of: (service) => ({ tracing: tracing?.of(service) ?? noTracing, metrics: registry.forService(service) }),
    setReady,
    readyWith: (ready = Promise.resolve()) =>
      void ready.then(
        () => setReady(true),
        () => undefined, // the service has said so itself
      ),
    async close() {
      observed?.stop();
      await server?.close();
      await tracing?.close();
    },
  };
}

/** Counts for nobody and traces nothing: for tests, and for what runs without a configuration. */
export const noTelemetry = (service = 'none'): ServiceTelemetry => ({
  tracing: noTracing,
  metrics: createMetricRegistry().forService(service),
});
