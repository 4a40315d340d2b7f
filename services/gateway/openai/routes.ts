// OpenAI's API as routes. A tenant meets its own models and the shared ones; others' are as unknown as none.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { InferenceServiceClient } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import type { WeightLoaderServiceClient } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import type { DeadlineOption } from '#lib/platform/grpc-client.ts';
import type { Gatekeeper } from '../auth/gatekeeper.ts';
import { guard, visitOf } from '../auth/guard.ts';
import { checkModel, createSees } from '../edge/tenancy.ts';
import type { Call } from './call.ts';
import { chat, streamChat } from './chat.ts';
import { complete, streamCompletion } from './completions.ts';
import { metered } from './metered.ts';
import { getModel, listModels } from './models.ts';
import { toModelRef } from './sampling.ts';
import { chatSchema, completionSchema, parseBody } from './schemas.ts';
import { sendEvents } from './sse.ts';

export interface OpenAiDependencies {
  inference: Pick<InferenceServiceClient<DeadlineOption>, 'generate' | 'chat' | 'score'>;
  weightLoader: Pick<WeightLoaderServiceClient, 'listModels' | 'getModel'>;
  gatekeeper: Gatekeeper;
  /** Names that every tenant may use. */
  shared: ReadonlySet<string>;
  requestTimeoutMs: number;
}

export function addOpenAiRoutes(api: FastifyInstance, dependencies: OpenAiDependencies): void {
  const { inference, weightLoader, gatekeeper, shared, requestTimeoutMs } = dependencies;
  guard(api, gatekeeper);

  const seesOf = (request: FastifyRequest) => {
    const { tenant } = visitOf(request).principal;
    return tenant === undefined ? undefined : createSees(tenant, shared);
  };
  /** @throws {AppError} NOT_FOUND for a model that the caller does not see */
  const checked = (request: FastifyRequest, model: string): void => {
    const sees = seesOf(request);
    if (sees) checkModel(visitOf(request), toModelRef(model), sees);
  };
  const callOf = (request: FastifyRequest, reply: FastifyReply, model: string): Call => {
    checked(request, model);
    return {
      inference: metered(inference, visitOf(request).lease),
      options: { signal: signalOf(reply), deadlineMs: requestTimeoutMs },
      created: Math.floor(Date.now() / 1000),
    };
  };

  api.post('/v1/completions', async (request, reply) => {
    const body = parseBody(completionSchema, request.body);
    const call = callOf(request, reply, body.model);
    return body.stream ? sendEvents(reply, streamCompletion(body, call)) : complete(body, call);
  });
  api.post('/v1/chat/completions', async (request, reply) => {
    const body = parseBody(chatSchema, request.body);
    const call = callOf(request, reply, body.model);
    return body.stream ? sendEvents(reply, streamChat(body, call)) : chat(body, call);
  });
  api.get('/v1/models', async (request, reply) => listModels(weightLoader, signalOf(reply), seesOf(request)));
  api.get<{ Params: { id: string } }>('/v1/models/:id', async (request, reply) => {
    checked(request, request.params.id);
    return getModel(weightLoader, request.params.id, signalOf(reply));
  });
}

/** Aborts when the client leaves before it has its answer. */
export function signalOf({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort();
  });
  return gone.signal;
}
