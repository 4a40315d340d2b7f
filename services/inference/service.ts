// The inference service's RPCs: check, take the model, take a turn, stream what its thread makes.
import { randomInt } from 'node:crypto';
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import {
  FinishReason,
  type GenerateResponse,
  type InferenceServiceImplementation,
  type SamplingParameters,
} from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { fromInt32Bytes, toInt32Bytes } from '#lib/contracts/int32.ts';
import { check } from '#lib/platform/check.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import { checkSampling } from './check-sampling.ts';
import type { Piece, WorkerSampling } from './model.worker.ts';
import { type ModelPool, mustBe } from './model-pool.ts';
import { type Answer, type AnswerOptions, type ObserveOptions, observed } from './observe.ts';
import type { Prompt } from './prompt.ts';

const mostTexts = 1000;
const defaultTemperature = { generate: 1, chat: 0.7 } as const;
const finishReasons = { stop: FinishReason.FINISH_REASON_STOP, length: FinishReason.FINISH_REASON_LENGTH } as const;

export interface InferenceDependencies extends ObserveOptions {
  pool: ModelPool;
}

export const createInferenceService = ({ pool, ...observers }: InferenceDependencies): InferenceServiceImplementation =>
  toImplementation(pool, observed(generate, observers));

const toImplementation = (pool: ModelPool, answer: Answer): InferenceServiceImplementation => ({
  async *generate({ model: ref, prompt, sampling }, { signal }) {
    using lease = await pool.take(ref, signal);
    const { model } = lease;
    mustBe('language model', model);
    checkSampling(sampling, model.version.contextLength);
    yield* answer({
      operation: 'text_completion',
      model,
      prompt: toPrompt(prompt),
      sampling: toWorkerSampling(sampling, defaultTemperature.generate),
      signal,
    });
  },

  async *chat({ model: ref, messages, sampling }, { signal }) {
    check({ messages: !messages.length && 'at least one is required' });
    using lease = await pool.take(ref, signal);
    const { model } = lease;
    mustBe('language model', model);
    checkSampling(sampling, model.version.contextLength);
    const prompt: Prompt = { kind: 'chat', messages: messages.map(({ role, content }) => ({ role, content })) };
    const wanted = toWorkerSampling(sampling, defaultTemperature.chat);
    yield* answer({ operation: 'chat', model, prompt, sampling: wanted, signal });
  },

  async classify({ model: ref, texts }, { signal }) {
    check({ texts: texts.length > mostTexts && `at most ${mostTexts}; there are ${texts.length}` });
    using lease = await pool.take(ref, signal);
    const { model } = lease;
    mustBe('classifier', model);
    using _turn = await model.turns.take(signal);
    const { labels } = model.version;
    const rows = await model.worker.call('classify', texts, { signal });
    const classifications = rows.map((probabilities) => {
      const best = probabilities.indexOf(Math.max(...probabilities));
      return { label: labels[best] ?? '', probability: probabilities[best] ?? 0, probabilities };
    });
    return { classifications, labels, model: model.version.ref };
  },

  async score({ model: ref, items, logprobs }, { signal }) {
    check({
      items: items.length > mostTexts && `at most ${mostTexts}; there are ${items.length}`,
      logprobs: logprobs > 20 && `must be at most 20; it is ${logprobs}`,
    });
    using lease = await pool.take(ref, signal);
    const { model } = lease;
    mustBe('language model', model);
    using _turn = await model.turns.take(signal);
    const scores = await model.worker.call('score', { items, logprobs }, { signal });
    return {
      scores: scores.map((score) => ({ ...score, tokens: score.tokens.map(toTokenMessage) })),
      model: model.version.ref,
    };
  },

  async listLoadedModels() {
    return {
      models: pool.list().map(({ model, aliases }) => ({
        ref: model.version.ref,
        aliases,
        memoryBytes: model.sizeBytes,
        running: model.turns.running,
        waiting: model.turns.waiting,
        loadSeconds: model.loadSeconds,
      })),
    };
  },
});

function toPrompt(prompt: { $case: 'text'; value: string } | { $case: 'ids'; value: Uint8Array } | undefined): Prompt {
  if (!prompt) throw invalidArgument('prompt', 'is required: text or ids');
  if (prompt.$case === 'text') return { kind: 'text', text: prompt.value };
  if (prompt.value.length % 4) throw invalidArgument('ids', 'must be int32 values, little-endian');
  return { kind: 'ids', ids: fromInt32Bytes(prompt.value) };
}

/** A seed that nobody has chosen is drawn, and told in the first response. */
const toWorkerSampling = (sampling: SamplingParameters | undefined, temperature: number): WorkerSampling => ({
  temperature: sampling?.temperature ?? temperature,
  topK: sampling?.topK ?? 0,
  topP: sampling?.topP || 1,
  seed: sampling?.seed ?? randomInt(2 ** 31),
  logprobs: sampling?.logprobs ?? 0,
  stop: sampling?.stop ?? [],
  ...(sampling?.maxTokens !== undefined && { maxTokens: sampling.maxTokens }),
});

/** Chat's and Generate's responses have the same fields. */
async function* generate({
  model,
  prompt,
  sampling,
  signal,
  onTokens,
}: AnswerOptions): AsyncGenerator<GenerateResponse> {
  using _turn = await model.turns.take(signal);
  const started = performance.now();
  let firstAt = 0;
  let promptTokens = 0;
  let completionTokens = 0;
  for await (const piece of model.worker.stream('generate', { prompt, sampling }, { signal })) {
    const isFirst = firstAt === 0;
    if (isFirst) firstAt = performance.now();
    promptTokens = piece.promptTokens;
    completionTokens += piece.ids.length;
    onTokens?.({ promptTokens, completionTokens });
    yield {
      ...toResponse(piece),
      ...(isFirst ? opening(model.version.ref, sampling.seed) : { model: undefined, seed: 0 }),
      usage: piece.finishReason && {
        promptTokens,
        completionTokens,
        timeToFirstTokenSeconds: (firstAt - started) / 1000,
        // Of the tokens after the first: the prompt's time is told apart.
        tokensPerSecond: completionTokens > 1 ? ((completionTokens - 1) * 1000) / (performance.now() - firstAt) : 0,
      },
    };
  }
}

const opening = (model: ArtifactRef, seed: number) => ({ model, seed });

const toResponse = ({
  text,
  ids,
  logprobs,
  finishReason,
}: Piece): Pick<GenerateResponse, 'text' | 'ids' | 'logprobs' | 'finishReason'> => ({
  text,
  ids: toInt32Bytes(ids),
  logprobs: logprobs.map(toTokenMessage),
  finishReason: finishReason ? finishReasons[finishReason] : FinishReason.FINISH_REASON_UNSPECIFIED,
});

const toTokenMessage = ({ alternatives, ...token }: Piece['logprobs'][number]) => ({
  ...toToken(token),
  alternatives: alternatives.map(toToken),
});

const toToken = ({ id, token, logprob }: { id: number; token: Uint8Array; logprob: number }) => ({
  id,
  token: Buffer.from(token),
  logprob,
});
