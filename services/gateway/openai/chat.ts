// POST /v1/chat/completions: the assistant's next message.
import { randomUUID } from 'node:crypto';
import type {
  ChatRequest,
  ChatResponse,
  DeepPartial,
  TokenLogprob,
} from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import type { Call } from './call.ts';
import { inNamesOfClient } from './field-names.ts';
import { toChatLogprobs } from './logprobs.ts';
import { toFinishReason, toModelRef, toSampling, toUsage } from './sampling.ts';
import type { ChatBody } from './schemas.ts';

/** The newer name counts where both are given. */
const limitName = ({ max_completion_tokens: newer }: ChatBody) =>
  typeof newer === 'number' ? 'max_completion_tokens' : 'max_tokens';

function toRequest(body: ChatBody): DeepPartial<ChatRequest> {
  const maxTokens = body[limitName(body)] ?? undefined;
  if (maxTokens === 0) throw invalidArgument(limitName(body), 'must be at least 1');
  const logprobs = body.logprobs ? Math.max(1, body.top_logprobs ?? 0) : 0;
  return {
    model: toModelRef(body.model),
    messages: body.messages.map(({ role, content }) => ({
      role: role === 'developer' ? 'system' : role,
      content: typeof content === 'string' ? content : content.map(({ text }) => text).join(''),
    })),
    sampling: toSampling(body, { maxTokens, logprobs }),
  };
}

const answer = (body: ChatBody, { inference, options }: Call): AsyncIterable<ChatResponse> =>
  inNamesOfClient(inference.chat(toRequest(body), options), { max_tokens: limitName(body) });

const toLogprobs = ({ logprobs, top_logprobs }: ChatBody, tokens: TokenLogprob[]) =>
  logprobs ? toChatLogprobs(tokens, top_logprobs ?? 0) : null;

export async function chat(body: ChatBody, call: Call) {
  let content = '';
  const tokens: TokenLogprob[] = [];
  let last: ChatResponse | undefined;
  for await (last of answer(body, call)) {
    content += last.text;
    tokens.push(...last.logprobs);
  }
  return {
    id: `chatcmpl-${randomUUID()}`,
    object: 'chat.completion' as const,
    created: call.created,
    model: body.model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant' as const, content, refusal: null },
        logprobs: toLogprobs(body, tokens),
        finish_reason: (last && toFinishReason(last.finishReason)) ?? ('stop' as const),
      },
    ],
    usage: toUsage(last?.usage),
  };
}

export async function* streamChat(body: ChatBody, call: Call): AsyncGenerator<object> {
  const { created } = call;
  const head = { id: `chatcmpl-${randomUUID()}`, object: 'chat.completion.chunk', created, model: body.model };
  const choice = (delta: object, rest: object = {}) => ({
    ...head,
    choices: [{ index: 0, delta, finish_reason: null, ...rest }],
  });
  let usage: ChatResponse['usage'];
  let isFirst = true;
  for await (const response of answer(body, call)) {
    if (isFirst) yield choice({ role: 'assistant', content: '' });
    isFirst = false;
    usage = response.usage ?? usage;
    const logprobs = toLogprobs(body, response.logprobs);
    if (response.text || response.logprobs.length) yield choice({ content: response.text }, { logprobs });
    const finish = toFinishReason(response.finishReason);
    if (finish) yield choice({}, { finish_reason: finish });
  }
  if (body.stream_options?.include_usage) yield { ...head, choices: [], usage: toUsage(usage) };
}
