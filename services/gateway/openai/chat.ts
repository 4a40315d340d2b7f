// POST /v1/chat/completions: the assistant's next message.
import { randomUUID } from 'node:crypto';
import type {
  ChatRequest,
  ChatResponse,
  DeepPartial,
  TokenLogprob,
} from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import type { Call } from './completions.ts';
import { toFinishReason, toModelRef, toSampling, toUsage } from './sampling.ts';
import type { ChatBody } from './schemas.ts';

function toRequest(body: ChatBody): DeepPartial<ChatRequest> {
  const maxTokens = body.max_completion_tokens ?? body.max_tokens ?? undefined;
  if (maxTokens === 0) throw invalidArgument('max_tokens', 'must be at least 1');
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

const toToken = ({ token, logprob }: { token: Uint8Array; logprob: number }) => ({
  token: Buffer.from(token).toString('utf8'),
  logprob,
  bytes: [...token],
});

const toLogprobs = ({ logprobs, top_logprobs }: ChatBody, tokens: TokenLogprob[]) =>
  logprobs
    ? {
        content: tokens.map((token) => ({
          ...toToken(token),
          top_logprobs: token.alternatives.slice(0, top_logprobs ?? 0).map(toToken),
        })),
        refusal: null,
      }
    : null;

export async function chat(body: ChatBody, { inference, signal, created }: Call) {
  let content = '';
  const tokens: TokenLogprob[] = [];
  let last: ChatResponse | undefined;
  for await (const response of inference.chat(toRequest(body), { signal })) {
    content += response.text;
    tokens.push(...response.logprobs);
    last = response;
  }
  return {
    id: `chatcmpl-${randomUUID()}`,
    object: 'chat.completion' as const,
    created,
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

export async function* streamChat(body: ChatBody, { inference, signal, created }: Call): AsyncGenerator<object> {
  const head = { id: `chatcmpl-${randomUUID()}`, object: 'chat.completion.chunk', created, model: body.model };
  const choice = (delta: object, rest: object = {}) => ({
    ...head,
    choices: [{ index: 0, delta, finish_reason: null, ...rest }],
  });
  let usage: ChatResponse['usage'];
  let isFirst = true;
  for await (const response of inference.chat(toRequest(body), { signal })) {
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
