// POST /v1/completions: go on with a text. With `echo` and `logprobs` it also says how likely the prompt itself is.
import { randomUUID } from 'node:crypto';
import type {
  DeepPartial,
  GenerateRequest,
  GenerateResponse,
  Usage,
} from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { toInt32Bytes } from '#lib/contracts/int32.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import type { Call } from './call.ts';
import { inNamesOfClient, rename } from './field-names.ts';
import { createLogprobs, type ScoredToken } from './logprobs.ts';
import { toFinishReason, toModelRef, toSampling, toUsage } from './sampling.ts';
import type { CompletionBody } from './schemas.ts';

const defaultMaxTokens = 16;
const fieldNames = { text: 'prompt', ids: 'prompt', 'items[0].continuation': 'prompt' };

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
    sampling: toSampling(body, { maxTokens, logprobs: alternativesOf(body) }),
  };
}

/** Inference tells a token's own log-probability with at least one alternative; 0: nothing is asked for. */
const alternativesOf = ({ logprobs }: CompletionBody): number =>
  typeof logprobs === 'number' ? Math.max(1, logprobs) : 0;

interface Piece {
  text: string;
  logprobs: ScoredToken[];
  finishReason: 'stop' | 'length' | null;
  usage?: Pick<Usage, 'promptTokens' | 'completionTokens'> | undefined;
}

/** The echoed prompt, then what is made. */
async function* pieces(body: CompletionBody, call: Call): AsyncGenerator<Piece> {
  const prompt = toPrompt(body.prompt);
  const maxTokens = body.max_tokens ?? defaultMaxTokens;
  if (maxTokens === 0 && !body.echo) throw invalidArgument('max_tokens', 'must be at least 1, unless echo is true');
  if (body.echo) yield await echo(body, prompt, { ...call, isAll: maxTokens === 0 });
  if (maxTokens === 0) return;
  const responses = call.inference.generate(toRequest(body, prompt, maxTokens), call.options);
  for await (const response of inNamesOfClient(responses, fieldNames)) yield toPiece(response);
}

const toPiece = ({ text, logprobs, finishReason, usage }: GenerateResponse): Piece => ({
  text,
  logprobs,
  finishReason: toFinishReason(finishReason),
  usage,
});

/** The prompt with its own probabilities; `isAll`: nothing is made of it. */
async function echo(
  { model, logprobs }: CompletionBody,
  prompt: Prompt,
  { inference, options, isAll }: Call & { isAll: boolean },
): Promise<Piece> {
  if (prompt.kind === 'ids') throw invalidArgument('echo', 'needs a prompt that is text');
  const { text } = prompt;
  if (typeof logprobs !== 'number' && !isAll) return { text, logprobs: [], finishReason: null };
  const items = [{ context: '', continuation: text }];
  const request = { model: toModelRef(model), items, logprobs: logprobs ?? 0 };
  const { scores } = await inference.score(request, options).catch((error) => {
    throw rename(error, fieldNames);
  });
  const tokens = withFirst(text, scores[0]?.tokens ?? []);
  const usage = { promptTokens: tokens.length, completionTokens: 0 };
  return { text, logprobs: tokens, finishReason: isAll ? 'length' : null, usage };
}

/** Before the scored tokens, what has no probability: the first token. */
function withFirst(prompt: string, scored: ScoredToken[]): ScoredToken[] {
  const bytes = Buffer.from(prompt);
  const first = bytes.length - scored.reduce((sum, { token }) => sum + token.length, 0);
  return [{ token: bytes.subarray(0, first), logprob: null, alternatives: null }, ...scored];
}

const logprobsOf = ({ logprobs }: CompletionBody) =>
  typeof logprobs === 'number' ? createLogprobs(logprobs) : () => null;

export async function complete(body: CompletionBody, call: Call) {
  const all: Piece[] = [];
  for await (const piece of pieces(body, call)) all.push(piece);
  const logprobs = logprobsOf(body)(all.flatMap((piece) => piece.logprobs));
  const text = all.map((piece) => piece.text).join('');
  return {
    id: `cmpl-${randomUUID()}`,
    object: 'text_completion' as const,
    created: call.created,
    model: body.model,
    choices: [{ index: 0, text, logprobs, finish_reason: all.at(-1)?.finishReason ?? ('length' as const) }],
    usage: toUsage(all.at(-1)?.usage),
  };
}

export async function* streamCompletion(body: CompletionBody, call: Call): AsyncGenerator<object> {
  const head = { id: `cmpl-${randomUUID()}`, object: 'text_completion', created: call.created, model: body.model };
  const toLogprobs = logprobsOf(body);
  let last: Piece | undefined;
  for await (last of pieces(body, call)) {
    const { text, logprobs, finishReason } = last;
    if (!text && !logprobs.length && !finishReason) continue;
    yield { ...head, choices: [{ index: 0, text, logprobs: toLogprobs(logprobs), finish_reason: finishReason }] };
  }
  if (body.stream_options?.include_usage) yield { ...head, choices: [], usage: toUsage(last?.usage) };
}
