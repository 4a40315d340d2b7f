// POST /v1/completions: go on with a text. With `echo` and `logprobs` it also says how likely the prompt itself is.
import { randomUUID } from 'node:crypto';
import type {
  DeepPartial,
  GenerateRequest,
  GenerateResponse,
  InferenceServiceClient,
  TokenLogprob,
} from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { toInt32Bytes } from '#lib/contracts/int32.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import { toFinishReason, toModelRef, toSampling, toUsage } from './sampling.ts';
import type { CompletionBody } from './schemas.ts';

export interface Call {
  inference: Pick<InferenceServiceClient, 'generate' | 'chat' | 'score'>;
  signal: AbortSignal;
  /** Seconds since 1970. */
  created: number;
}

const defaultMaxTokens = 16;

type Prompt = { kind: 'text'; text: string } | { kind: 'ids'; ids: number[] };

function toPrompt(prompt: CompletionBody['prompt']): Prompt {
  if (typeof prompt === 'string') return { kind: 'text', text: prompt };
  const [first] = prompt;
  if (typeof first === 'string') return { kind: 'text', text: first };
  return { kind: 'ids', ids: Array.isArray(first) ? first : (prompt as number[]) };
}

function toRequest(body: CompletionBody, prompt: Prompt, maxTokens: number): DeepPartial<GenerateRequest> {
  return {
    model: toModelRef(body.model),
    prompt:
      prompt.kind === 'text'
        ? { $case: 'text', value: prompt.text }
        : { $case: 'ids', value: toInt32Bytes(prompt.ids) },
    sampling: toSampling(body, { maxTokens, logprobs: body.logprobs ?? 0 }),
  };
}

interface Piece {
  text: string;
  logprobs: TokenLogprob[];
  last?: GenerateResponse;
}

/** The echoed prompt, then what is made. */
async function* pieces(body: CompletionBody, { inference, signal }: Call): AsyncGenerator<Piece> {
  const prompt = toPrompt(body.prompt);
  const maxTokens = body.max_tokens ?? defaultMaxTokens;
  if (maxTokens === 0 && !body.echo) throw invalidArgument('max_tokens', 'must be at least 1, unless echo is true');
  if (body.echo) yield await echo(body, prompt, { inference, signal });
  if (maxTokens === 0) return;
  for await (const response of inference.generate(toRequest(body, prompt, maxTokens), { signal })) {
    yield { text: response.text, logprobs: response.logprobs, last: response };
  }
}

async function echo(
  body: CompletionBody,
  prompt: Prompt,
  { inference, signal }: Pick<Call, 'inference' | 'signal'>,
): Promise<Piece> {
  if (prompt.kind === 'ids') throw invalidArgument('echo', 'needs a prompt that is text');
  if (typeof body.logprobs !== 'number') return { text: prompt.text, logprobs: [] };
  const items = [{ context: '', continuation: prompt.text }];
  const { scores } = await inference.score(
    { model: toModelRef(body.model), items, logprobs: body.logprobs },
    { signal },
  );
  return { text: prompt.text, logprobs: scores[0]?.tokens ?? [] };
}

const textOf = (token: Uint8Array): string => Buffer.from(token).toString('utf8');

/** OpenAI's parallel arrays. The first token of an echoed prompt has no probability: null. */
function toLogprobs(tokens: TokenLogprob[], { echoed, prompt }: { echoed: boolean; prompt: string }) {
  const texts = tokens.map(({ token }) => textOf(token));
  const firstText = echoed ? prompt.slice(0, Math.max(0, prompt.length - texts.join('').length)) : '';
  const isPadded = echoed && firstText !== '';
  let offset = firstText.length;
  const offsets = texts.map((text) => {
    const at = offset;
    offset += text.length;
    return at;
  });
  const best = tokens.map(({ alternatives }) =>
    Object.fromEntries(alternatives.map(({ token, logprob }) => [textOf(token), logprob])),
  );
  return {
    tokens: [...(isPadded ? [firstText] : []), ...texts],
    token_logprobs: [...(isPadded ? [null] : []), ...tokens.map(({ logprob }) => logprob)],
    top_logprobs: [...(isPadded ? [null] : []), ...best],
    text_offset: [...(isPadded ? [0] : []), ...offsets],
  };
}

export async function complete(body: CompletionBody, call: Call) {
  let text = '';
  const tokens: TokenLogprob[] = [];
  let last: GenerateResponse | undefined;
  for await (const piece of pieces(body, call)) {
    text += piece.text;
    tokens.push(...piece.logprobs);
    last = piece.last ?? last;
  }
  const wantsLogprobs = typeof body.logprobs === 'number';
  return {
    id: `cmpl-${randomUUID()}`,
    object: 'text_completion' as const,
    created: call.created,
    model: body.model,
    choices: [
      {
        index: 0,
        text,
        logprobs: wantsLogprobs ? toLogprobs(tokens, { echoed: body.echo ?? false, prompt: text }) : null,
        finish_reason: (last && toFinishReason(last.finishReason)) ?? ('length' as const),
      },
    ],
    usage: toUsage(last?.usage),
  };
}

export async function* streamCompletion(body: CompletionBody, call: Call): AsyncGenerator<object> {
  const head = { id: `cmpl-${randomUUID()}`, object: 'text_completion', created: call.created, model: body.model };
  let usage: GenerateResponse['usage'];
  for await (const { text, logprobs, last } of pieces(body, call)) {
    usage = last?.usage ?? usage;
    const finish = last ? toFinishReason(last.finishReason) : null;
    if (!text && !finish) continue;
    const wanted = typeof body.logprobs === 'number' ? toLogprobs(logprobs, { echoed: false, prompt: '' }) : null;
    yield { ...head, choices: [{ index: 0, text, logprobs: wanted, finish_reason: finish }] };
  }
  if (body.stream_options?.include_usage) yield { ...head, choices: [], usage: toUsage(usage) };
}
