// Generation, one sequence at a time: the prompt in chunks, then token by token. Between chunks and tokens the thread gives way, so
// that an abort is heard.
import { setImmediate as giveWay } from 'node:timers/promises';
import { ContextError, type Sequence } from './decoder.ts';
import { type ScoredToken, scoreToken } from './logprobs.ts';
import { type Sampling, sampleToken } from './sampling.ts';

export const finishReasons = ['stop', 'length'] as const;
/** `stop`: an end token or a stop text came. `length`: as many tokens as were wanted, or as the context has places for. */
export type FinishReason = (typeof finishReasons)[number];

export interface GenerateOptions {
  readonly prompt: Int32Array;
  readonly sampling: Sampling;
  /** Most tokens to make; absent: up to the end of the context. */
  readonly maxTokens?: number | undefined;
  /** Tokens that end the text. */
  readonly endIds?: ReadonlySet<number> | undefined;
  /** Log-probabilities of the n likeliest tokens beside each one made; absent: none, not even its own. */
  readonly logprobs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface GeneratedToken {
  readonly id: number;
  readonly logprob?: ScoredToken | undefined;
  /** On the last token. */
  readonly finishReason?: FinishReason | undefined;
}

/**
 * Makes tokens until there is a reason to stop; the last one carries it. What the sequence has in common with the prompt is used again.
 * Throws ContextError where the prompt leaves no place, and the signal's reason when it aborts.
 */
export async function* generate(sequence: Sequence, options: GenerateOptions): AsyncGenerator<GeneratedToken> {
  const { prompt, sampling, maxTokens = Infinity, endIds, logprobs, signal } = options;
  const most = Math.min(maxTokens, roomAfter(sequence, prompt));
  let logits = await prefill(sequence, prompt, { signal });
  for (let index = 0; index < most; index++) {
    const id = sampleToken(logits, sampling, index);
    const logprob = logprobs === undefined ? undefined : scoreToken(logits, id, logprobs);
    const finishReason = endIds?.has(id) ? 'stop' : index + 1 === most ? 'length' : undefined;
    yield { id, logprob, finishReason };
    if (finishReason) return;
    await giveWay();
    signal?.throwIfAborted();
    logits = sequence.append(Int32Array.of(id));
  }
}

function roomAfter({ decoder }: Sequence, prompt: Int32Array): number {
  const { contextSize, labels } = decoder.config;
  if (labels) throw new RangeError('generate: the model is a classifier');
  if (prompt.length === 0) throw new RangeError('generate: the prompt is empty, at least one token is needed');
  if (prompt.length >= contextSize) throw new ContextError('the prompt', { tokens: prompt.length, contextSize });
  return contextSize - prompt.length;
}

/** Tokens computed in one go. Long enough to keep the cores busy, short enough to hear an abort soon. */
const chunkSize = 128;

/** Makes the sequence hold exactly `ids`; logits after the last of them. */
export async function prefill(
  sequence: Sequence,
  ids: Int32Array,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<Float32Array> {
  sequence.truncate(Math.min(commonLength(sequence.ids, ids), ids.length - 1));
  for (;;) {
    signal?.throwIfAborted();
    const start = sequence.ids.length;
    const logits = sequence.append(ids.subarray(start, start + chunkSize));
    if (sequence.ids.length === ids.length) return logits;
    await giveWay();
  }
}

function commonLength(a: Int32Array, b: Int32Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return length;
}
