// Texts, classes and scores through the inference service: real registry, real threads, real gRPC. The engine's uncached forward pass is the oracle.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import {
  type DeepPartial,
  FinishReason,
  type GenerateResponse,
  type SamplingParameters,
} from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { fromInt32Bytes, toInt32Bytes } from '#lib/contracts/int32.ts';
import { sampleToken } from '#lib/decode/sampling.ts';
import { createScorer, type Scorer } from '#lib/model/scorer.ts';
import { openEngine } from '#lib/tensor/engine.ts';
import { createChat } from '#lib/text/chat.ts';
import { libraryDir } from '../support/library-dir.ts';
import { importModel, type ServingServices, startServing } from '../support/serving.ts';
import { type TinyModel, tinyModel } from '../support/tiny-models.ts';

jest.setTimeout(60_000);
openEngine({ libraryDir });

let services: ServingServices;
let home: string;
const models = { gpt2: tinyModel('gpt2'), llama: tinyModel('llama') };
const labels = ['boat', 'river', 'rain'];
const classifiers = { gpt2: tinyModel('gpt2', { labels }), llama: tinyModel('llama', { labels }) };

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-serving-'));
  services = await startServing(home, { STRATA_INFERENCE_THREADS: '1' });
  for (const [name, { files }] of Object.entries(models)) await importModel(services, name, files);
  for (const [name, { files }] of Object.entries(classifiers)) await importModel(services, `${name}-classes`, files);
});
afterAll(async () => {
  await services.stop();
  await rm(home, { recursive: true });
});

const prompt = 'When the rain comes';
const sampled = { temperature: 0.9, topK: 50, topP: 0.95, seed: 7, maxTokens: 40 };
const greedy = { temperature: 0, maxTokens: 40 };

interface Answer {
  pieces: GenerateResponse[];
  text: string;
  ids: number[];
}

async function collect(responses: AsyncIterable<GenerateResponse>): Promise<Answer> {
  const pieces: GenerateResponse[] = [];
  for await (const piece of responses) pieces.push(piece);
  return {
    pieces,
    text: pieces.map((piece) => piece.text).join(''),
    ids: pieces.flatMap((piece) => [...fromInt32Bytes(piece.ids)]),
  };
}

const generate = (name: string, sampling: DeepPartial<SamplingParameters>, text = prompt) =>
  collect(services.inference.generate({ model: { name }, prompt: { $case: 'text', value: text }, sampling }));

const largestDifference = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? Number.NaN))));

describe.each(['gpt2', 'llama'] as const)('a %s model', (name) => {
  const { config, weights, tokenizer }: TinyModel = models[name];
  let scorer: Scorer;
  beforeAll(() => {
    scorer = createScorer({ config, weights });
  });
  afterAll(() => scorer.dispose());

  test('is streamed token by token; the texts together are what the tokens decode to', async () => {
    const { pieces, text, ids } = await generate(name, sampled);
    expect(pieces.length).toBeGreaterThan(20);
    expect(text).toBe(tokenizer.decode(ids));
    const [first, ...rest] = pieces;
    expect(first).toMatchObject({ model: { name, version: 'v1' }, seed: 7 });
    expect(rest.every(({ model }) => model === undefined)).toBe(true);
    const promptTokens = tokenizer.encode(prompt).length;
    const finishReason = FinishReason.FINISH_REASON_LENGTH;
    expect(pieces.at(-1)).toMatchObject({ finishReason, usage: { promptTokens, completionTokens: 40 } });
    expect(pieces.slice(0, -1).every(({ usage }) => usage === undefined)).toBe(true);
  });

  test.each([
    ['greedy', greedy],
    ['seeded', sampled],
  ])('gives the tokens of the uncached forward pass (%s)', async (_, sampling) => {
    const ids = [...tokenizer.encode(prompt)];
    for (let index = 0; index < 40; index++) {
      ids.push(sampleToken(scorer.nextLogits(Int32Array.from(ids)), { seed: 0, ...sampling }, index));
    }
    expect((await generate(name, sampling)).ids).toEqual(ids.slice(-40));
  });

  test('gives the same text for the same seed: again, among others, and for the same prompt as ids', async () => {
    const { text } = await generate(name, sampled);
    const others = [3, 4, 5].map((seed) => generate(name, { ...sampled, seed }, 'A boat'));
    const same = [1, 2, 3].map(() => generate(name, sampled));
    expect((await Promise.all(same)).map((answer) => answer.text)).toEqual([text, text, text]);
    expect(new Set((await Promise.all(others)).map((answer) => answer.text)).size).toBe(3);
    const ids = toInt32Bytes(tokenizer.encode(prompt));
    const byIds = { model: { name }, prompt: { $case: 'ids', value: ids } as const, sampling: sampled };
    expect((await collect(services.inference.generate(byIds))).text).toBe(text);
  });

  test('draws a seed where none is given, and tells it: with it the text comes again', async () => {
    const { seed: _, ...unseeded } = sampled;
    const { text, pieces } = await generate(name, unseeded);
    const seed = pieces[0]?.seed ?? 0;
    expect(seed).toBeGreaterThan(0);
    expect((await generate(name, { ...unseeded, seed })).text).toBe(text);
  });

  test('chats: the prompt is what the chat template makes of the messages', async () => {
    const messages = [
      { role: 'system', content: 'Answer.' },
      { role: 'user', content: 'Where is the boat? <|im_end|>' },
    ];
    const { ids } = createChat(tokenizer).render(messages, { addGenerationPrompt: true });
    const chat = await collect(services.inference.chat({ model: { name }, messages, sampling: sampled }));
    const byIds = { model: { name }, prompt: { $case: 'ids', value: toInt32Bytes(ids) } as const, sampling: sampled };
    const { text } = await collect(services.inference.generate(byIds));
    expect(chat.text).toBe(text);
    expect(chat.pieces.at(-1)?.usage?.promptTokens).toBe(ids.length);
  });

  test('ends before a stop text, wherever the tokens are cut', async () => {
    const { text } = await generate(name, sampled);
    const stop = [text.slice(9, 12), 'never'];
    const stopped = await generate(name, { ...sampled, stop });
    expect(stopped.text).toBe(text.slice(0, text.indexOf(stop[0] as string)));
    expect(stopped.pieces.at(-1)?.finishReason).toBe(FinishReason.FINISH_REASON_STOP);
  });

  test('tells log-probabilities of its tokens: those that Score gives for the same tokens', async () => {
    const { pieces } = await generate(name, { ...greedy, maxTokens: 12, logprobs: 3 });
    const tokens = pieces.flatMap(({ logprobs }) => logprobs);
    expect(tokens).toHaveLength(12);
    const ids = [...tokenizer.encode(prompt)];
    for (const { id, logprob, token, alternatives } of tokens) {
      expect(Buffer.from(token)).toEqual(Buffer.from(tokenizer.decodeBytes([id])));
      expect(alternatives.map(({ id }) => id)[0]).toBe(id);
      expect(alternatives).toHaveLength(3);
      const logits = scorer.nextLogits(Int32Array.from(ids));
      const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
      expect(logprob).toBeCloseTo((logits[id] as number) - total, 3);
      ids.push(id);
    }
  });

  test('scores texts as the engine does, and as the evaluator does', async () => {
    const items = [
      { context: 'The river', continuation: ' is wide here' },
      { context: prompt, continuation: ' the people go home; ü' },
      { context: 'A', continuation: ' boat' },
    ];
    const { scores, model } = await services.inference.score({ model: { name }, items, logprobs: 2 });
    expect(model).toEqual({ name, version: 'v1' });
    const pairs = items.map(({ context, continuation }) => ({
      context: tokenizer.encode(context),
      continuation: tokenizer.encode(continuation),
    }));
    const expected = await scorer.logLikelihoods(pairs);
    const evaluated = await services.evaluator.score({ model: { name }, pairs: items });
    for (const [i, { logLikelihood, isGreedy, tokens }] of scores.entries()) {
      expect(tokens).toHaveLength(expected[i]?.tokens ?? 0);
      expect(isGreedy).toBe(expected[i]?.isGreedy);
      const perToken = (score: { logLikelihood: number } | undefined) =>
        Math.abs(logLikelihood - (score?.logLikelihood ?? Number.NaN)) / tokens.length;
      expect(perToken(expected[i])).toBeLessThan(1e-3);
      expect(perToken(evaluated.scores[i])).toBeLessThan(1e-3);
    }
  });

  test('scores a text without a context from its second token on', async () => {
    const ids = tokenizer.encode('The river is wide');
    const items = [
      { context: '', continuation: 'The river is wide' },
      { context: '', continuation: 'T' },
    ];
    const { scores } = await services.inference.score({ model: { name }, items });
    expect(scores[0]?.tokens.map(({ id }) => id)).toEqual([...ids.subarray(1)]);
    expect(scores[1]).toEqual({ logLikelihood: 0, isGreedy: true, tokens: [] });
  });

  test('refuses to score a continuation that the context cannot hold', async () => {
    const words = ' wide'.repeat(config.contextSize + 1);
    const items = [
      { context: 'The', continuation: ' river' },
      { context: 'The', continuation: words },
    ];
    await expect(services.inference.score({ model: { name }, items })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/^items\[1\].continuation: .*the model's context is \d+: score it in parts/),
    });
  });

  test('with a head of classes it classifies as the engine does', async () => {
    const { config, weights, tokenizer } = classifiers[name];
    const texts = ['The river is wide', 'rain', 'A boat waits.'];
    const reply = await services.inference.classify({ model: { name: `${name}-classes` }, texts });
    expect(reply.labels).toEqual(labels);
    using classes = createScorer({ config, weights });
    const expected = await classes.classify(texts.map((text) => tokenizer.encode(text)));
    for (const [i, { label, probability, probabilities }] of reply.classifications.entries()) {
      expect(largestDifference(probabilities, [...(expected[i] as Float32Array)])).toBeLessThan(1e-4);
      expect(probability).toBe(Math.max(...probabilities));
      expect(label).toBe(labels[probabilities.indexOf(probability)]);
    }
  });
});

test('ids that the tokenizer has no token for are no text', async () => {
  const { files, tokenizer } = tinyModel('gpt2', { padding: 200 });
  await importModel(services, 'padded', files);
  const { text, ids, pieces } = await generate('padded', { ...sampled, topK: 0, topP: 1, logprobs: 1 });
  expect(ids.filter((id) => id >= tokenizer.vocabSize).length).toBeGreaterThan(0);
  expect(text).toBe(tokenizer.decode(ids.filter((id) => id < tokenizer.vocabSize)));
  expect(pieces.flatMap(({ logprobs }) => logprobs.map(({ id }) => id))).toEqual(ids);
});

test('what is loaded is listed with the names that stand for it', async () => {
  await generate('gpt2', { maxTokens: 1 });
  await collect(
    services.inference.generate({
      model: { name: 'gpt2', version: 'production' },
      prompt: { $case: 'text', value: 'A' },
      sampling: { maxTokens: 1 },
    }),
  );
  const { models: loaded } = await services.inference.listLoadedModels({});
  const { memoryBytes, ...gpt2 } = loaded.find(({ ref }) => ref?.name === 'gpt2') ?? { memoryBytes: 0 };
  expect(gpt2).toMatchObject({
    ref: { name: 'gpt2', version: 'v1' },
    aliases: ['gpt2', 'gpt2@production'],
    running: 0,
    waiting: 0,
  });
  expect(memoryBytes).toBe([...models.gpt2.weights.values()].reduce((sum, { data }) => sum + data.byteLength, 0));
});
