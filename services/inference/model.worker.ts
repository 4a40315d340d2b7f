// The thread of one model: text in, tokens out. Everything that computes happens here, away from the thread that serves.
import { setTimeout as delay } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { z } from 'zod';
import { Decoder, type Sequence } from '#lib/decode/decoder.ts';
import { generateText, type TextPiece } from '#lib/decode/generate-text.ts';
import { mapSafetensors } from '#lib/decode/mapped-weights.ts';
import type { Sampling } from '#lib/decode/sampling.ts';
import { classify, type Scored, scoreContinuation } from '#lib/decode/score.ts';
import { parseConfig } from '#lib/model/config-json.ts';
import { readSafetensors } from '#lib/model/formats/safetensors.ts';
import type { ModelFiles } from '#lib/platform/model-files.ts';
import { serveWorker, type WorkerCall } from '#lib/platform/worker-call.ts';
import { loadTokenizer } from '#lib/text/load-tokenizer.ts';
import type { Tokenizer } from '#lib/text/tokenizer.ts';
import { type Pair, type Prompt, toIds, toPair, toRow } from './prompt.ts';
import { createSequences, type Sequences } from './sequences.ts';
import { addBytes, createTextDecoder, type ScoredWithBytes } from './token-text.ts';

export interface ModelWorkerData {
  /** 0: every core. */
  threads: number;
}

export interface WorkerSampling extends Sampling {
  maxTokens?: number;
  /** Alternatives at each position; 0: no log-probabilities. */
  logprobs: number;
  stop: string[];
}

export interface Piece extends Omit<TextPiece, 'logprobs'> {
  promptTokens: number;
  logprobs: ScoredWithBytes[];
}

interface Loaded {
  decoder: Decoder;
  sequences: Sequences;
  tokenizer: Tokenizer;
  endIds: ReadonlySet<number>;
}

let loaded: Loaded | undefined;

const methods = {
  async load(files: ModelFiles): Promise<{ sizeBytes: number }> {
    const { threads } = workerData as ModelWorkerData;
    const config = parseConfig(files.config);
    const tokenizer = loadTokenizer(JSON.parse(files.tokenizer), JSON.parse(files.tokenizerConfig));
    const weights = (await mapSafetensors(files.weights)) ?? { tensors: await readSafetensors(files.weights) };
    const decoder = new Decoder({ config, weights, threads });
    loaded = {
      decoder,
      sequences: createSequences(decoder),
      tokenizer,
      endIds: endIdsOf(files.generationConfig, tokenizer),
    };
    return { sizeBytes: decoder.weightBytes };
  },

  /** Gives the weights' memory back, which lies outside this thread's own: ending the thread alone would not. */
  async unload(): Promise<void> {
    while (loaded?.sequences.inUse) await delay(5);
    loaded?.sequences.dispose();
    loaded?.decoder[Symbol.dispose]();
    loaded = undefined;
  },

  async *generate({ prompt, sampling }: { prompt: Prompt; sampling: WorkerSampling }, { signal }: WorkerCall) {
    const { decoder, sequences, tokenizer, endIds } = model();
    const ids = toIds(prompt, { tokenizer, config: decoder.config });
    const { maxTokens, logprobs, stop, ...rest } = sampling;
    using taken = sequences.take();
    const pieces = generateText(taken.sequence, {
      prompt: ids,
      sampling: rest,
      maxTokens,
      endIds,
      stop,
      logprobs: logprobs || undefined,
      decoder: createTextDecoder(tokenizer),
      signal,
    });
    for await (const { logprobs, ...piece } of pieces) {
      const withBytes = logprobs.map((token) => addBytes(token, tokenizer));
      yield { ...piece, promptTokens: ids.length, logprobs: withBytes } satisfies Piece;
    }
  },

  async classify(texts: string[], { signal }: WorkerCall): Promise<number[][]> {
    const { decoder, sequences, tokenizer } = model();
    const all = texts.map((text, index) => toRow(text, { tokenizer, config: decoder.config }, index));
    using taken = sequences.take();
    const rows: number[][] = [];
    for (const ids of all) rows.push([...(await classify(taken.sequence, ids, { signal }))]);
    return rows;
  },

  async score(
    { items, logprobs }: { items: { context: string; continuation: string }[]; logprobs: number },
    { signal }: WorkerCall,
  ) {
    const { decoder, sequences, tokenizer } = model();
    const pairs = items.map((item, index) => toPair(item, { tokenizer, config: decoder.config }, index));
    const scores: (Omit<Scored, 'tokens'> & { tokens: ScoredWithBytes[] })[] = [];
    using taken = sequences.take();
    for (const pair of pairs) {
      const { tokens, ...score } = await scorePair(taken.sequence, pair, { logprobs, signal });
      scores.push({ ...score, tokens: tokens.map((token) => addBytes(token, tokenizer)) });
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

function scorePair(
  sequence: Sequence,
  pair: Pair,
  options: { logprobs: number; signal: AbortSignal },
): Promise<Scored> {
  if (!pair.continuation.length) return Promise.resolve({ logLikelihood: 0, isGreedy: true, tokens: [] });
  return scoreContinuation(sequence, { ...pair, ...options });
}

serveWorker(methods);
export type ModelMethods = typeof methods;
