// The thread of one model: text in, tokens out. Everything that computes happens here, away from the thread that serves.
import { workerData } from 'node:worker_threads';
import { z } from 'zod';
import { ContextError, Decoder } from '#lib/decode/decoder.ts';
import { generateText, type TextPiece } from '#lib/decode/generate-text.ts';
import type { ScoredToken, TokenLogprob } from '#lib/decode/logprobs.ts';

import type { Sampling } from '#lib/decode/sampling.ts';
import { classify, scoreContinuation } from '#lib/decode/score.ts';
import { parseConfig } from '#lib/model/config-json.ts';
import { readSafetensors } from '#lib/model/formats/safetensors.ts';
import { AppError, invalidArgument } from '#lib/platform/errors.ts';
import type { ModelFiles } from '#lib/platform/model-files.ts';
import { serveWorker, type WorkerCall } from '#lib/platform/worker-call.ts';
import { ChatTemplateError, createChat } from '#lib/text/chat.ts';
import { loadTokenizer } from '#lib/text/load-tokenizer.ts';
import type { Tokenizer } from '#lib/text/tokenizer.ts';

export interface ModelWorkerData {
  /** 0: every core. */
  threads: number;
}

export type Prompt =
  | { kind: 'text'; text: string }
  | { kind: 'ids'; ids: Int32Array }
  | { kind: 'chat'; messages: { role: string; content: string }[] };

export interface WorkerSampling extends Sampling {
  maxTokens?: number;
  /** Alternatives at each position; 0: no log-probabilities. */
  logprobs: number;
  stop: string[];
}

/** A token with its own bytes, which may be part of a character. */
interface TokenWithBytes extends TokenLogprob {
  token: Uint8Array;
}
export interface ScoredWithBytes extends TokenWithBytes {
  alternatives: TokenWithBytes[];
}

export interface Piece extends Pick<TextPiece, 'text' | 'ids' | 'madeTokens' | 'finishReason'> {
  promptTokens: number;
  logprobs: ScoredWithBytes[];
}

interface Loaded {
  decoder: Decoder;
  tokenizer: Tokenizer;
  endIds: ReadonlySet<number>;
}

let loaded: Loaded | undefined;

const methods = {
  async load(files: ModelFiles): Promise<{ sizeBytes: number }> {
    const { threads } = workerData as ModelWorkerData;
    const config = parseConfig(files.config);
    const tokenizer = loadTokenizer(JSON.parse(files.tokenizer), JSON.parse(files.tokenizerConfig));
    const weights = { tensors: await readSafetensors(files.weights) };
    const decoder = new Decoder({ config, weights, threads });
    loaded = { decoder, tokenizer, endIds: endIdsOf(files.generationConfig, tokenizer) };
    return { sizeBytes: decoder.weightBytes };
  },

  async *generate({ prompt, sampling }: { prompt: Prompt; sampling: WorkerSampling }, { signal }: WorkerCall) {
    const { decoder, tokenizer, endIds } = model();
    const ids = toIds(prompt, tokenizer, decoder);
    const { maxTokens, logprobs, stop, ...rest } = sampling;
    using sequence = decoder.createSequence();
    const pieces = generateText(sequence, {
      prompt: ids,
      sampling: rest,
      maxTokens,
      endIds,
      stop,
      logprobs: logprobs || undefined,
      decoder: tokenizer.createDecoder(),
      signal,
    });
    for await (const { text, ids: made, madeTokens, finishReason, logprobs: scored } of pieces) {
      const withBytes = scored.map((token) => addBytes(token, tokenizer));
      yield {
        text,
        ids: made,
        madeTokens,
        finishReason,
        promptTokens: ids.length,
        logprobs: withBytes,
      } satisfies Piece;
    }
  },

  async classify(texts: string[], { signal }: WorkerCall): Promise<number[][]> {
    const { decoder, tokenizer } = model();
    const rows: number[][] = [];
    for (const [index, text] of texts.entries()) {
      const ids = tokenizer.encode(text);
      if (!ids.length) throw invalidArgument(`texts[${index}]`, 'must not be empty');
      using sequence = decoder.createSequence();
      rows.push([...(await classify(sequence, ids, { signal }))]);
    }
    return rows;
  },

  async score(
    { items, logprobs }: { items: { context: string; continuation: string }[]; logprobs: number },
    call: WorkerCall,
  ) {
    const { decoder, tokenizer } = model();
    const scores: { logLikelihood: number; isGreedy: boolean; tokens: ScoredWithBytes[] }[] = [];
    for (const [index, item] of items.entries()) {
      using sequence = decoder.createSequence();
      const pair = toPair(item, tokenizer, index);
      const { logLikelihood, isGreedy, tokens } = await scoreContinuation(sequence, {
        ...pair,
        logprobs,
        signal: call.signal,
      });
      scores.push({ logLikelihood, isGreedy, tokens: tokens.map((token) => addBytes(token, tokenizer)) });
    }
    return scores;
  },
};

function model(): Loaded {
  if (!loaded) throw new Error('model.worker: no model is loaded');
  return loaded;
}

const generationConfig = z.object({ eos_token_id: z.union([z.number(), z.array(z.number())]).nullish() });

function endIdsOf(json: string, { eosId }: Tokenizer): ReadonlySet<number> {
  const { eos_token_id: ends } = generationConfig.parse(JSON.parse(json));
  return new Set([ends ?? [], eosId ?? []].flat());
}

function toIds(prompt: Prompt, tokenizer: Tokenizer, { config }: Decoder): Int32Array {
  const ids = promptIds(prompt, tokenizer);
  const field = prompt.kind === 'chat' ? 'messages' : prompt.kind;
  if (!ids.length) throw invalidArgument(field, 'must have at least one token');
  if (ids.length >= config.contextSize) {
    const { message } = new ContextError('the prompt', { tokens: ids.length, contextSize: config.contextSize });
    throw invalidArgument(field, `${message}, and the answer needs room as well: shorten it`);
  }
  const wrong = ids.find((id) => id < 0 || id >= config.vocabSize);
  if (wrong !== undefined)
    throw invalidArgument(field, `token id ${wrong} is not in the vocabulary of ${config.vocabSize}`);
  return ids;
}

function promptIds(prompt: Prompt, tokenizer: Tokenizer): Int32Array {
  if (prompt.kind === 'text') return tokenizer.encode(prompt.text);
  if (prompt.kind === 'ids') return prompt.ids;
  try {
    return createChat(tokenizer).render(prompt.messages, { addGenerationPrompt: true }).ids;
  } catch (error) {
    if (error instanceof ChatTemplateError)
      throw new AppError('INVALID_ARGUMENT', `messages: ${error.message}`, { field: 'messages', cause: error });
    throw error;
  }
}

/** Without a context the first token has no probability: the others are scored after it. */
function toPair(
  { context, continuation }: { context: string; continuation: string },
  tokenizer: Tokenizer,
  index: number,
) {
  const before = tokenizer.encode(context);
  const after = tokenizer.encode(continuation);
  const field = `items[${index}].continuation`;
  if (before.length) {
    if (!after.length) throw invalidArgument(field, 'must have at least one token');
    return { context: before, continuation: after };
  }
  if (after.length < 2) throw invalidArgument(field, 'must have at least two tokens where there is no context');
  return { context: after.subarray(0, 1), continuation: after.subarray(1) };
}

function addBytes({ alternatives, ...token }: ScoredToken, tokenizer: Tokenizer): ScoredWithBytes {
  const add = (one: TokenLogprob): TokenWithBytes => ({ ...one, token: tokenizer.decodeBytes([one.id]) });
  return { ...add(token), alternatives: alternatives.map(add) };
}

serveWorker(methods);
export type ModelMethods = typeof methods;
