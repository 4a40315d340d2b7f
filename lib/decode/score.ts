// What a model makes of given texts: log-likelihoods token by token, and classes. The same numbers as lib/model's scorer.
import { setImmediate as giveWay } from 'node:timers/promises';
import type { Sequence } from './decoder.ts';
import { prefill } from './generate.ts';
import { type ScoredToken, scoreToken, softmax } from './logprobs.ts';
import { likeliest } from './sampling.ts';

export interface ScoreOptions {
  /** At least one token: without it the continuation's first token has no probability. */
  readonly context: Int32Array;
  readonly continuation: Int32Array;
  /** Likeliest tokens to tell at each place. */
  readonly logprobs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Scored {
  /** Nats. */
  readonly logLikelihood: number;
  /** Whether every token is the likeliest at its place. */
  readonly isGreedy: boolean;
  readonly tokens: readonly ScoredToken[];
}

/** Places whose logits are computed in one go: 64 rows of a vocabulary of 50,000 are 13 MB. */
const rowsAtOnce = 64;

/** Scores a continuation after its context. What is longer than the model's context loses its beginning. */
export async function scoreContinuation(sequence: Sequence, options: ScoreOptions): Promise<Scored> {
  const { context, continuation, logprobs = 0, signal } = options;
  const { config, width } = sequence.decoder;
  if (config.labels) throw new RangeError('score: the model is a classifier');
  if (context.length === 0 || continuation.length === 0) {
    throw new RangeError('score: a context and a continuation need at least one token each');
  }
  const all = concat(context, continuation);
  const ids = all.subarray(0, -1).subarray(-config.contextSize);
  const targets = all.subarray(-Math.min(continuation.length, config.contextSize));
  const tokens: ScoredToken[] = [];
  let isGreedy = true;
  const read = (logits: Float32Array) => {
    for (let start = 0; start < logits.length; start += width) {
      const row = logits.subarray(start, start + width);
      const target = targets[tokens.length] as number;
      isGreedy &&= likeliest(row) === target;
      tokens.push(scoreToken(row, target, logprobs));
    }
  };
  read(await prefill(sequence, ids.subarray(0, ids.length - targets.length + 1), { signal }));
  while (tokens.length < targets.length) {
    await giveWay();
    signal?.throwIfAborted();
    const next = ids.subarray(sequence.ids.length, sequence.ids.length + rowsAtOnce);
    read(sequence.append(next, next.length));
  }
  return { logLikelihood: tokens.reduce((sum, { logprob }) => sum + logprob, 0), isGreedy, tokens };
}

/** Probabilities of a classifier's classes. What is longer than the model's context loses its end. */
export async function classify(
  sequence: Sequence,
  ids: Int32Array,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<Float32Array> {
  const { contextSize, labels } = sequence.decoder.config;
  if (!labels) throw new RangeError('classify: the model has no classes (no `score.weight`)');
  if (ids.length === 0) throw new RangeError('classify: the text is empty, at least one token is needed');
  return softmax(await prefill(sequence, ids.subarray(0, contextSize), { signal }));
}

function concat(a: Int32Array, b: Int32Array): Int32Array {
  const all = new Int32Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
