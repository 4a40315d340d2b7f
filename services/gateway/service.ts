// The gateway's HTTP routes: OpenAI's API, health, and the page for people.
import { readFile } from 'node:fs/promises';
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from 'fastify';
import type { InferenceServiceClient } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import type { WeightLoaderServiceClient } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { AppError, fromUnknown } from '#lib/platform/errors.ts';
import type { DeadlineOption } from '#lib/platform/grpc-client.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { Call } from './openai/call.ts';
import { chat, streamChat } from './openai/chat.ts';
import { complete, streamCompletion } from './openai/completions.ts';
import { toOpenAiError } from './openai/errors.ts';
import { getModel, listModels } from './openai/models.ts';
import { chatSchema, completionSchema, parseBody } from './openai/schemas.ts';
import { sendEvents } from './openai/sse.ts';

export interface GatewayDependencies {
  inference: Pick<InferenceServiceClient<DeadlineOption>, 'generate' | 'chat' | 'score' | 'listLoadedModels'>;
  weightLoader: Pick<WeightLoaderServiceClient, 'listModels' | 'getModel'>;
  log: Logger;
  maxBodyBytes: number;
  requestTimeoutMs: number;
}

export function createGateway(dependencies: GatewayDependencies): FastifyInstance {
  const { inference, weightLoader, log, maxBodyBytes, requestTimeoutMs } = dependencies;
  const app = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: maxBodyBytes,
  });

  const callOf = (reply: FastifyReply): Call => ({
    inference,
    options: { signal: signalOf(reply), deadlineMs: requestTimeoutMs },
    created: Math.floor(Date.now() / 1000),
  });

  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const isRequest = error.statusCode !== undefined && error.statusCode < 500;
    const known = isRequest ? new AppError('INVALID_ARGUMENT', error.message) : error;
    const { status, body } = toOpenAiError(known);
    if (status >= 500) request.log.error({ error, url: request.url }, 'request failed');
    return reply.status(isRequest ? (error.statusCode ?? status) : status).send(body);
  });
  app.setNotFoundHandler((request, reply) => notFound(request, reply));

  app.post('/v1/completions', async (request, reply) => {
    const body = parseBody(completionSchema, request.body);
    const call = callOf(reply);
    return body.stream ? sendEvents(reply, streamCompletion(body, call)) : complete(body, call);
  });
  app.post('/v1/chat/completions', async (request, reply) => {
    const body = parseBody(chatSchema, request.body);
    const call = callOf(reply);
    return body.stream ? sendEvents(reply, streamChat(body, call)) : chat(body, call);
  });
  app.get('/v1/models', async (_, reply) => listModels(weightLoader, signalOf(reply)));
  app.get<{ Params: { id: string } }>('/v1/models/:id', async ({ params }, reply) =>
    getModel(weightLoader, params.id, signalOf(reply)),
  );

  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_, reply) => {
    const options = { signal: signalOf(reply), deadlineMs: 2000 };
    await inference.listLoadedModels({}, options).catch((cause) => {
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

/** Aborts when the client leaves before it has its answer. */
function signalOf({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort();
  });
  return gone.signal;
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
