// T16: what is computed with the cache equals what the engine's uncached forward pass says, however the tokens are cut.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { asClassifier, gptConfig, llamaConfig, type ModelConfig } from '#lib/model/config.ts';
import { writeSafetensors } from '#lib/model/formats/write-safetensors.ts';
import { classLogits, forward, tokenLogits } from '#lib/model/forward.ts';
import { initWeights, toParams } from '#lib/model/params.ts';
import { createScorer } from '#lib/model/scorer.ts';
import type { Weights } from '#lib/model/weights.ts';
import { openEngine } from '#lib/tensor/engine.ts';
import { libraryDir } from '../../tests/support/library-dir.ts';
import { ContextError, Decoder, type Sequence } from './decoder.ts';
import { type GenerateOptions, generate } from './generate.ts';
import type { GraphWeights } from './graph.ts';
import { mapSafetensors } from './mapped-weights.ts';
import { sampleToken } from './sampling.ts';
import { classify, scoreContinuation } from './score.ts';

const { tf } = openEngine({ libraryDir });
const { abs, max } = Math;

const shape = { vocabSize: 97, contextSize: 600, nLayer: 3, nHead: 4, nEmbd: 64 };
const configs: Record<string, ModelConfig> = {
  gpt2: gptConfig(shape),
  'gpt2 without biases': gptConfig(shape, { bias: false }),
  'gpt2 with heads of 10': gptConfig({ ...shape, nEmbd: 40 }),
  llama: llamaConfig(shape),
  'llama with heads of 12': llamaConfig({ ...shape, nEmbd: 48 }, { nKvHead: 2 }),
  'llama with grouped queries and an output matrix of its own': llamaConfig(shape, { nKvHead: 2, tied: false }),
};

/** Large enough that logits differ; biases and norms that are not just 0 and 1. */
function livelyWeights(config: ModelConfig, seed: number): Weights {
  const weights = initWeights({ ...config, initStd: 0.2 }, seed);
  for (const { data, shape: sides } of weights.values()) {
    if (sides.length === 1) for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? 0) + ((i * 7) % 11) / 20;
  }
  return weights;
}

const prompt = (length: number, from = 0) => Int32Array.from({ length }, (_, i) => (from + i * i * 31 + i) % 97);

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.length === b.length ? a.reduce((most, value, i) => max(most, abs(value - (b[i] as number))), 0) : Infinity;
}

async function idsOf(sequence: Sequence, options: GenerateOptions): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of generate(sequence, options)) ids.push(id);
  return ids;
}

describe.each(Object.entries(configs))('%s', (_, config) => {
  const weights = livelyWeights(config, 5);
  const params = toParams(weights);
  let decoder: Decoder;
  beforeAll(() => {
    decoder = new Decoder({ config, weights: { tensors: weights }, threads: 1 });
  });
  afterAll(() => {
    decoder[Symbol.dispose]();
    tf.dispose(params);
  });
  /** Logits after each of the ids, without a cache, on the engine: [T, V]. */
  const uncached = (ids: Int32Array): Float32Array =>
    tf.tidy(() => {
      const states = forward(config, params, tf.tensor2d(ids, [1, ids.length], 'int32'));
      return tokenLogits(config, params, states).dataSync<'float32'>();
    });

  test('logits equal the uncached ones, token by token and in chunks, also where the cache grows', () => {
    const ids = prompt(300);
    const expected = uncached(ids);
    const at = (start: number, end: number) => expected.subarray(start * 97, end * 97);
    using oneByOne = decoder.createSequence();
    for (let i = 0; i < 300; i++) {
      expect(largestDifference(oneByOne.append(ids.subarray(i, i + 1)), at(i, i + 1))).toBeLessThan(1e-4);
    }
    using inChunks = decoder.createSequence();
    const cuts = [0, 1, 8, 128, 129, 300];
    for (const [i, start] of cuts.slice(0, -1).entries()) {
      const end = cuts[i + 1] as number;
      expect(largestDifference(inChunks.append(ids.subarray(start, end), end - start), at(start, end))).toBeLessThan(
        1e-4,
      );
    }
    expect([...inChunks.ids]).toEqual([...ids]);
  });

  test.each([
    ['greedy', { temperature: 0, seed: 0 }],
    ['seeded', { temperature: 0.8, topK: 40, topP: 0.95, seed: 7 }],
  ])('generated tokens are those of the uncached forward pass (%s)', async (_how, sampling) => {
    const expected = [...prompt(9, 3)];
    for (let index = 0; index < 24; index++) {
      expected.push(sampleToken(uncached(Int32Array.from(expected)).subarray(-97), sampling, index));
    }
    using sequence = decoder.createSequence();
    expect(await idsOf(sequence, { prompt: prompt(9, 3), sampling, maxTokens: 24 })).toEqual(expected.slice(9));
  });

  test('a text does not depend on what its sequence has made before, nor on others beside it', async () => {
    const options = { prompt: prompt(200), sampling: { temperature: 1, seed: 11 }, maxTokens: 30 };
    using fresh = decoder.createSequence();
    using used = decoder.createSequence();
    const expected = await idsOf(fresh, options);
    await idsOf(used, { ...options, prompt: prompt(150), maxTokens: 40 });
    const [again, beside] = await Promise.all([idsOf(used, options), idsOf(fresh, options)]);
    expect([again, beside]).toEqual([expected, expected]);
  });

  test("a classifier's probabilities are those of the uncached forward pass", async () => {
    const classifier = asClassifier(config, ['a', 'b', 'c']);
    const trained = livelyWeights(classifier, 8);
    const own = toParams(trained);
    using classifying = new Decoder({ config: classifier, weights: { tensors: trained }, threads: 1 });
    using sequence = classifying.createSequence();
    for (const ids of [prompt(1), prompt(30, 2), prompt(290, 4), prompt(650, 9)]) {
      const read = ids.subarray(0, 600);
      const expected = tf.tidy(() => {
        const states = forward(classifier, own, tf.tensor2d(read, [1, read.length], 'int32'));
        return classLogits(own, states, tf.tensor1d([read.length], 'int32'))
          .softmax()
          .dataSync<'float32'>();
      });
      expect(largestDifference(await classify(sequence, ids), expected)).toBeLessThan(1e-5);
    }
    tf.dispose(own);
    await expect(idsOf(sequence, { prompt: prompt(3), sampling: { temperature: 0, seed: 0 } })).rejects.toThrow(
      /classifier/,
    );
  });
});

test('log-likelihoods are those that the evaluator computes', async () => {
  const config = llamaConfig({ ...shape, contextSize: 64, nLayer: 1 });
  const weights = livelyWeights(config, 2);
  using scorer = createScorer({ config, weights });
  using decoder = new Decoder({ config, weights: { tensors: weights }, threads: 1 });
  using sequence = decoder.createSequence();
  const lengths = [
    [5, 1],
    [1, 60],
    [3, 80],
    [90, 3],
  ] as const;
  const pairs = lengths.map(([context, rest]) => ({ context: prompt(context), continuation: prompt(rest, 13) }));
  for (const [i, expected] of (await scorer.logLikelihoods(pairs)).entries()) {
    const scored = await scoreContinuation(sequence, { ...(pairs[i] as (typeof pairs)[0]), logprobs: 3 });
    expect(scored.tokens).toHaveLength(expected.tokens);
    expect(abs(scored.logLikelihood - expected.logLikelihood)).toBeLessThan(1e-4 * expected.tokens);
    expect(scored.isGreedy).toBe(expected.isGreedy);
    for (const { logprob, alternatives } of scored.tokens) {
      expect(alternatives).toHaveLength(3);
      expect(alternatives[0]?.logprob).toBeGreaterThanOrEqual(logprob);
    }
  }
});

test.each([
  ['gpt2', gptConfig(shape)],
  ['llama', llamaConfig(shape)],
])('weights mapped from a file, which is removed then, compute what those in memory do (%s)', async (_, config) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'strata-mapped-'));
  const file = path.join(folder, 'model.safetensors');
  const weights = livelyWeights(config, 4);
  await writeSafetensors(file, weights);
  using inMemory = new Decoder({ config, weights: { tensors: weights }, threads: 1 });
  using mapped = new Decoder({ config, weights: (await mapSafetensors(file)) as GraphWeights, threads: 1 });
  await rm(folder, { recursive: true });
  using expected = inMemory.createSequence();
  using actual = mapped.createSequence();
  expect([...actual.append(prompt(20))]).toEqual([...expected.append(prompt(20))]);
});

describe('what cannot be computed is refused in plain words', () => {
  const config = gptConfig({ ...shape, contextSize: 32, nLayer: 1 });
  const weights = livelyWeights(config, 1);
  const make = (tensors: Weights) => new Decoder({ config, weights: { tensors }, threads: 1 });

  test('weights that do not fit', () => {
    const without = new Map(weights);
    without.delete('h.0.ln_1.weight');
    expect(() => make(without)).toThrow('weights: no tensor named "h.0.ln_1.weight"');
    const wrong = new Map([
      ...weights,
      ['wte.weight', { dtype: 'f32', shape: [96, 64], data: new Float32Array(96 * 64) }],
    ]);
    expect(() => make(wrong as Weights)).toThrow('weights: "wte.weight" is [96,64], expected [97,64]');
  });

  test('tokens that are none, and more than the context holds; the sequence stays as it was', () => {
    using decoder = make(weights);
    using sequence = decoder.createSequence();
    sequence.append(prompt(30));
    expect(() => sequence.append(Int32Array.of(97))).toThrow('token id 97 is not in the vocabulary of 97');
    expect(() => sequence.append(prompt(3))).toThrow(new ContextError('the sequence', { tokens: 33, contextSize: 32 }));
    expect(() => sequence.append(prompt(2), 3)).toThrow(RangeError);
    expect(() => sequence.append(prompt(0))).toThrow(RangeError);
    expect([...sequence.ids]).toEqual([...prompt(30)]);
  });
});
