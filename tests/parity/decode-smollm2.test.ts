// T25: SmolLM2-135M-Instruct from its GGUF file gives what `transformers` gave (smollm2_reference.json).
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { Decoder, type Sequence } from '#lib/decode/decoder.ts';
import { generate } from '#lib/decode/generate.ts';
import { scoreContinuation } from '#lib/decode/score.ts';
import { configFromJson } from '#lib/model/config-json.ts';
import { readLlamaGguf } from '#lib/model/formats/llama-gguf.ts';
import { fromGgufMetadata } from '#lib/text/gguf-tokenizer.ts';
import type { Tokenizer } from '#lib/text/tokenizer.ts';
import { testWithData } from '../support/data-dir.ts';
import { fetchTimeoutMs, smollm2File } from '../support/smollm2.ts';

interface Case {
  readonly ids: number[];
  readonly next_top8: [id: number, logit: number][];
  readonly greedy_ids: number[];
}
interface Reference {
  readonly completions: Case[];
  readonly chats: Case[];
  readonly scores: Record<'lambada_openai', { first_loglik: number[] }> &
    Record<'arc_easy' | 'openbook_qa', { first_logliks: number[][] }>;
}

const reference = (dir: string): Reference =>
  JSON.parse(readFileSync(path.join(dir, 'smollm2_reference.json'), 'utf8'));
const cases = (dir: string): Case[] => [...reference(dir).completions, ...reference(dir).chats];

let tokenizer: Tokenizer;
let decoder: Decoder;
let sequence: Sequence;
beforeAll(async () => {
  const { config, weights, metadata } = await readLlamaGguf(await smollm2File());
  tokenizer = fromGgufMetadata(metadata);
  decoder = new Decoder({ config: configFromJson(config), weights: { tensors: weights } });
  sequence = decoder.createSequence();
}, fetchTimeoutMs);
afterAll(() => {
  sequence[Symbol.dispose]();
  decoder[Symbol.dispose]();
});

testWithData('the logits of the next token are within 1e-3', (dir) => {
  for (const { ids, next_top8 } of cases(dir)) {
    sequence.truncate(0);
    const logits = sequence.append(Int32Array.from(ids));
    for (const [id, logit] of next_top8) expect(Math.abs((logits[id] ?? Number.NaN) - logit)).toBeLessThan(1e-3);
  }
});

testWithData('greedy texts and chats are the same, token by token', async (dir) => {
  const endIds = new Set([tokenizer.eosId as number]);
  for (const { ids, greedy_ids } of cases(dir)) {
    const made: number[] = [];
    const sampling = { temperature: 0, seed: 0 };
    const options = { prompt: Int32Array.from(ids), sampling, maxTokens: greedy_ids.length, endIds };
    for await (const { id } of generate(sequence, options)) made.push(id);
    expect(made).toEqual(greedy_ids);
  }
});

/** A context's trailing spaces belong to what follows. */
async function logLikelihood(context: string, continuation: string): Promise<number> {
  const stem = context.trimEnd();
  const all = tokenizer.encode(stem + context.slice(stem.length) + continuation);
  const before = tokenizer.encode(stem);
  const parts = { context: before, continuation: all.subarray(before.length) };
  return (await scoreContinuation(sequence, parts)).logLikelihood;
}

const rows = <T>(dir: string, task: string, count: number): T[] => {
  const lines = readFileSync(path.join(dir, `evals/${task}.jsonl`), 'utf8').split('\n');
  return lines.slice(0, count).map((line) => JSON.parse(line) as T);
};

testWithData('log-likelihoods are within 1e-3', async (dir) => {
  const { lambada_openai, ...choiceTasks } = reference(dir).scores;
  const texts = rows<{ context: string; continuation: string }>(dir, 'lambada_openai', 5);
  for (const [i, { context, continuation }] of texts.entries()) {
    const expected = lambada_openai.first_loglik[i] as number;
    expect(Math.abs((await logLikelihood(context, ` ${continuation}`)) - expected)).toBeLessThan(1e-3);
  }
  for (const task of ['arc_easy', 'openbook_qa'] as const) {
    const questions = rows<{ query: string; choices: string[] }>(dir, task, 3);
    for (const [i, { query, choices }] of questions.entries()) {
      for (const [j, choice] of choices.entries()) {
        const expected = choiceTasks[task].first_logliks[i]?.[j] as number;
        expect(Math.abs((await logLikelihood(query, ` ${choice}`)) - expected)).toBeLessThan(1e-3);
      }
    }
  }
});
