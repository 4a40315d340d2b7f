// The gateway over HTTP: OpenAI's API behind the gatekeeper; health and the page for people before it.
import { readFile } from 'node:fs/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { InferenceServiceClient } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { AppError, fromUnknown } from '#lib/platform/errors.ts';
import type { DeadlineOption } from '#lib/platform/grpc-client.ts';
import type { ServiceTelemetry } from '#lib/platform/telemetry.ts';
import { createHttpServer, type HttpServerOptions } from './http-server.ts';
import { observeHttp } from './observe-http.ts';
import { toOpenAiError } from './openai/errors.ts';
import { addOpenAiRoutes, type OpenAiDependencies, signalOf } from './openai/routes.ts';

export interface GatewayDependencies extends OpenAiDependencies, HttpServerOptions {
  inference: Pick<InferenceServiceClient<DeadlineOption>, 'generate' | 'chat' | 'score' | 'listLoadedModels'>;
  telemetry?: ServiceTelemetry;
  /** More than 0: requests wait for inference to start. */
  holdMs?: number;
}

export function createGateway(dependencies: GatewayDependencies): FastifyInstance {
  const { inference, log, telemetry, holdMs = 0 } = dependencies;
  const app = createHttpServer(dependencies);
  if (telemetry) observeHttp(app, telemetry);
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const isRequest = error.statusCode !== undefined && error.statusCode < 500;
    const known = isRequest ? new AppError('INVALID_ARGUMENT', error.message) : fromUnknown(error);
    const { status, body } = toOpenAiError(known);
    if (status >= 500) request.log.error({ error, url: request.url }, 'request failed');
    if (status === 401) reply.header('www-authenticate', 'Bearer');
    if (known.details.retryAfterSeconds) reply.header('retry-after', String(known.details.retryAfterSeconds));
    return reply.status(isRequest ? (error.statusCode ?? status) : status).send(body);
  });
  app.setNotFoundHandler((request, reply) => notFound(request, reply));
  app.register(async (api) => addOpenAiRoutes(api, dependencies));

  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_, reply) => {
    // Inference may sleep: it is the first request that wakes it.
    if (holdMs > 0) return { status: 'ready' };
    const options = { signal: signalOf(reply), deadlineMs: 2000 };
    await inference.listLoadedModels({}, options).catch((cause) => {
      log.debug({ error: cause }, 'not ready');
      throw new AppError('UNAVAILABLE', `not ready: ${fromUnknown(cause).message}`, { cause });
    });
    return { status: 'ready' };
  });
  app.get('/', async (_, reply) => {
    const page = await readFile(new URL('./page/chat.html', import.meta.url));
    return reply.type('text/html; charset=utf-8').headers(pageHeaders).send(page);
  });
  return app;
}

/** The page is one file: nothing else may be loaded by it or frame it. */
const pageHeaders = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
};

function notFound({ method, url }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const routes = 'POST /v1/completions, POST /v1/chat/completions, GET /v1/models, GET /healthz, GET /readyz';
  const error = new AppError('NOT_FOUND', `there is no ${method} ${url}; there are: ${routes}`, {
    details: { thing: 'route' },
  });
  return reply.status(404).send(toOpenAiError(error).body);
}
