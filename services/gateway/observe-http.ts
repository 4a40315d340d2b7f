// Every HTTP request, observed: counted by route and status, and a span that goes on where the caller's trace left off.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { secondsBuckets } from '#lib/platform/telemetry/metrics.ts';
import type { OpenSpan } from '#lib/platform/telemetry/tracing.ts';
import type { ServiceTelemetry } from '#lib/platform/telemetry.ts';

/** Before the first route is added. */
export function observeHttp(app: FastifyInstance, { metrics, tracing }: ServiceTelemetry): void {
  const requests = metrics.counter('strata_gateway_http_requests_total', {
    help: 'HTTP requests, by route and status; 499: the client left before its answer.',
    labels: ['route', 'status'],
  });
  const seconds = metrics.histogram('strata_gateway_http_request_seconds', {
    help: 'To the last byte of the answer.',
    labels: ['route'],
    buckets: secondsBuckets,
  });
  const running = metrics.gauge('strata_gateway_http_requests_running', { help: 'HTTP requests under way.' });
  running.set({}, 0);
  const spans = new WeakMap<FastifyRequest, OpenSpan>();

  app.addHook('onRequest', (request, reply, next) => {
    const began = performance.now();
    const { method, headers, routeOptions } = request;
    const route = routeOptions.url ?? 'unknown';
    const span = quiet.has(route)
      ? undefined
      : tracing.begin(`${method} ${route}`, {
          kind: 'server',
          attributes: { 'http.request.method': method, 'http.route': route },
          ...(typeof headers.traceparent === 'string' && { parent: headers.traceparent }),
        });
    if (span) spans.set(request, span);
    running.add({}, 1);
    reply.raw.once('close', () => {
      const status = reply.raw.writableFinished ? reply.statusCode : 499;
      running.add({}, -1);
      requests.add({ route, status: String(status) });
      seconds.observe({ route }, (performance.now() - began) / 1000);
      span?.set({ 'http.response.status_code': status });
      span?.end();
    });
    next();
  });
  // The body's events come from the socket: from here on everything is called within the span.
  app.addHook('preHandler', (request, _, next) => {
    const span = spans.get(request);
    if (span) span.run(next);
    else next();
  });
}

/** Probes begin no traces. */
const quiet = new Set(['/healthz', '/readyz', '/']);
