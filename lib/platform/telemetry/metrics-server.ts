// The HTTP side of a process: /metrics for Prometheus, /healthz and /readyz for probes (which cannot speak mutual TLS).
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { AppError } from '../errors.ts';
import type { MetricRegistry } from './metrics.ts';

export interface MetricsServer {
  readonly address: string;
  close(): Promise<void>;
}

export interface MetricsServerOptions {
  bind: string;
  port: number;
  registry: MetricRegistry;
  isReady: () => boolean;
}

/** @throws {AppError} UNAVAILABLE where it cannot listen */
export async function serveMetrics({ bind, port, registry, isReady }: MetricsServerOptions): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path === '/metrics') void registry.render().then((text) => answer(response, 200, text, metricsType));
    else if (path === '/healthz') answer(response, 200, 'ok\n');
    else if (path === '/readyz') answer(response, isReady() ? 200 : 503, isReady() ? 'ready\n' : 'not ready\n');
    else answer(response, 404, 'there are /metrics, /healthz, /readyz\n');
  });
  server.listen(port, bind);
  await once(server, 'listening').catch((cause) => {
    throw new AppError(
      'UNAVAILABLE',
      `cannot serve metrics on ${bind}:${port}: ${cause.message}; set STRATA_METRICS_PORT`,
      {
        cause,
      },
    );
  });
  const bound = server.address();
  return {
    address: `${bind}:${typeof bound === 'object' && bound ? bound.port : port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

const answer = (response: ServerResponse, status: number, body: string, type = 'text/plain'): void =>
  void response.writeHead(status, { 'content-type': type }).end(body);
