// The gateway as the clients of OpenAI's API see it: the official `openai` package against real services.
import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import OpenAI from 'openai';
import { createLogger } from '#lib/platform/log.ts';
import { openDoor } from '../../services/gateway/auth/open-door.ts';
import { loadConfig as loadGateway } from '../../services/gateway/config.ts';
import { createGateway } from '../../services/gateway/service.ts';
import { importModel, type ServingServices, startServing, untilLoaded } from '../support/serving.ts';
import { tinyModel } from '../support/tiny-models.ts';

jest.setTimeout(60_000);

let services: ServingServices;
let home: string;
let client: OpenAI;
const model = tinyModel('gpt2', { contextSize: 2048 });
const { tokenizer } = model;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-gateway-'));
  services = await startServing(home, {
    STRATA_INFERENCE_THREADS: '1',
    STRATA_INFERENCE_MAX_WAITING: '0',
    STRATA_GATEWAY_MAX_BODY_BYTES: '20000',
  });
  await importModel(services, 'boats', model.files);
  await importModel(services, 'slow', tinyModel('gpt2', { contextSize: 8192, width: 256 }).files);
  await importModel(services, 'topics', tinyModel('gpt2', { labels: ['boat', 'rain'] }).files);
  client = new OpenAI({ baseURL: `${services.url}/v1`, apiKey: 'unused', maxRetries: 0 });
});
afterAll(async () => {
  await services.stop();
  await rm(home, { recursive: true });
});

const sampled = { model: 'boats', temperature: 0.9, seed: 7, max_tokens: 24 };
const prompt = 'When the rain comes';
const messages = [{ role: 'user' as const, content: 'Where is the boat?' }];

test('models are listed, with whether they chat, and found by name, version and alias', async () => {
  const cards: OpenAI.Model[] = [];
  for await (const card of client.models.list()) cards.push(card);
  const created = expect.any(Number);
  expect(cards).toEqual([
    { id: 'boats', object: 'model', owned_by: 'strata', created, chat: true },
    { id: 'slow', object: 'model', owned_by: 'strata', created, chat: true },
    { id: 'topics', object: 'model', owned_by: 'strata', created, chat: false },
  ]);
  expect(cards[0]?.created).toBeGreaterThan(1_700_000_000);
  for (const id of ['boats', 'boats@v1', 'boats@production'])
    expect(await client.models.retrieve(id)).toMatchObject({ id });
  await expect(client.models.retrieve('ships')).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  await expect(client.models.retrieve('boats@v9')).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
});

test('a completion is the same text at once and streamed', async () => {
  const whole = await client.completions.create({ ...sampled, prompt });
  expect(whole).toMatchObject({ object: 'text_completion', model: 'boats' });
  expect(whole.choices).toEqual([{ index: 0, text: expect.any(String), logprobs: null, finish_reason: 'length' }]);
  const promptTokens = tokenizer.encode(prompt).length;
  const usage = { prompt_tokens: promptTokens, completion_tokens: 24, total_tokens: promptTokens + 24 };
  expect(whole.usage).toEqual(usage);

  const chunks: OpenAI.Completion[] = [];
  const options = { stream: true, stream_options: { include_usage: true } } as const;
  for await (const chunk of await client.completions.create({ ...sampled, prompt, ...options })) chunks.push(chunk);
  expect(chunks.map(({ choices }) => choices[0]?.text ?? '').join('')).toBe(whole.choices[0]?.text);
  expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
  expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('length');
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage });
});

test('a chat is the same answer at once and streamed', async () => {
  const whole = await client.chat.completions.create({ ...sampled, messages });
  expect(whole).toMatchObject({ object: 'chat.completion', model: 'boats', usage: { completion_tokens: 24 } });
  const [choice] = whole.choices;
  expect(choice).toMatchObject({ index: 0, finish_reason: 'length', logprobs: null, message: { role: 'assistant' } });

  const stream = client.chat.completions.stream({ ...sampled, messages });
  let streamed = '';
  stream.on('content', (delta) => {
    streamed += delta;
  });
  const final = await stream.finalChatCompletion();
  expect(final.choices[0]?.message.content).toBe(choice?.message.content);
  expect(streamed).toBe(choice?.message.content);
  expect(final.choices[0]?.finish_reason).toBe('length');
});

test('content in parts and a developer are what text and a system message are', async () => {
  const ask = async (...asked: OpenAI.ChatCompletionMessageParam[]) =>
    (await client.chat.completions.create({ ...sampled, messages: asked })).choices[0]?.message.content;
  const parts = [
    { type: 'text', text: 'Where is ' },
    { type: 'text', text: 'the boat?' },
  ] as const;
  expect(await ask({ role: 'developer', content: 'Answer.' }, { role: 'user', content: [...parts] })).toBe(
    await ask({ role: 'system', content: 'Answer.' }, ...messages),
  );
});

test('a stop text ends the answer before it', async () => {
  const { choices } = await client.completions.create({ ...sampled, prompt });
  const text = choices[0]?.text ?? '';
  const stop = text.slice(5, 8);
  const stopped = await client.completions.create({ ...sampled, prompt, stop });
  expect(stopped.choices[0]).toMatchObject({ text: text.slice(0, text.indexOf(stop)), finish_reason: 'stop' });
});

test('log-probabilities of a completion: parallel arrays; streamed, the same ones', async () => {
  const asked = { ...sampled, prompt, logprobs: 2, max_tokens: 12 };
  const { choices } = await client.completions.create(asked);
  const { logprobs } = choices[0] as OpenAI.CompletionChoice;
  expect(logprobs?.tokens).toHaveLength(12);
  expect(logprobs?.token_logprobs?.every((value) => value <= 0)).toBe(true);
  expect(logprobs?.top_logprobs?.map((best) => Object.keys(best).length)).toEqual(Array(12).fill(2));
  const chunks: OpenAI.CompletionChoice[] = [];
  for await (const chunk of await client.completions.create({ ...asked, stream: true })) chunks.push(...chunk.choices);
  const together = (field: 'tokens' | 'token_logprobs' | 'text_offset') =>
    chunks.flatMap((chunk): unknown[] => chunk.logprobs?.[field] ?? []);
  for (const field of ['tokens', 'token_logprobs', 'text_offset'] as const)
    expect(together(field)).toEqual(logprobs?.[field]);
});

test('log-probabilities of a chat: tokens with their bytes', async () => {
  const asked = { ...sampled, messages, logprobs: true, top_logprobs: 3 };
  const { choices } = await client.chat.completions.create(asked);
  const tokens = choices[0]?.logprobs?.content ?? [];
  expect(tokens).toHaveLength(24);
  expect(Buffer.from(tokens.flatMap(({ bytes }) => bytes ?? [])).toString()).toBe(choices[0]?.message.content);
  expect(tokens.every((token) => token.top_logprobs.length === 3)).toBe(true);
});

test('an echoed prompt is scored as Score does, its first token has no probability, and its tokens are counted', async () => {
  const text = 'Über den Fluß, when the rain';
  const ids = tokenizer.encode(text);
  const asked = { model: 'boats', prompt: text, echo: true, logprobs: 0, max_tokens: 0 };
  const { choices, usage } = await client.completions.create(asked);
  const { logprobs, ...choice } = choices[0] as OpenAI.CompletionChoice;
  expect(choice).toEqual({ index: 0, text, finish_reason: 'length' });
  expect(usage).toEqual({ prompt_tokens: ids.length, completion_tokens: 0, total_tokens: ids.length });
  expect(logprobs?.tokens).toHaveLength(ids.length);
  const items = [{ context: '', continuation: text }];
  const { scores } = await services.inference.score({ model: { name: 'boats' }, items });
  expect(logprobs?.token_logprobs).toEqual([null, ...(scores[0]?.tokens.map(({ logprob }) => logprob) ?? [])]);
  for (const [i, token] of (logprobs?.tokens ?? []).entries()) {
    const at = logprobs?.text_offset?.[i] ?? -1;
    if (!token.startsWith('bytes:')) expect(text.slice(at, at + token.length)).toBe(token);
  }
  expect(logprobs?.text_offset?.slice(0, 4)).toEqual([0, 0, 1, 2]); // Ü is two tokens here
  const one = await client.completions.create({ ...asked, prompt: 'T' });
  expect(one.choices[0]?.logprobs).toMatchObject({ tokens: ['T'], token_logprobs: [null], text_offset: [0] });

  const andOn = await client.completions.create({ ...asked, ...sampled, prompt: text, max_tokens: 5 });
  expect(andOn.choices[0]?.text.startsWith(text)).toBe(true);
  expect(andOn.choices[0]?.logprobs?.tokens).toHaveLength(ids.length + 5);
  expect(andOn.usage).toEqual({ prompt_tokens: ids.length, completion_tokens: 5, total_tokens: ids.length + 5 });
});

const long = 'river '.repeat(2100);
test.each<[string, object, number, string | null, RegExp]>([
  ['no model', { model: undefined }, 400, 'model', /model/],
  ['an unknown model', { model: 'ships' }, 404, 'model', /ships/],
  ['a name that is none', { model: 'a@b@c' }, 400, 'model', /write name, name@v2 or name@alias/],
  ['a classifier', { model: 'topics' }, 400, 'model', /"topics" is a classifier \(boat, rain\)/],
  ['no prompt', { prompt: undefined }, 400, 'prompt', /prompt: must be one text/],
  ['an empty prompt', { prompt: '' }, 400, 'prompt', /prompt: must have at least one token/],
  ['a prompt longer than the context', { prompt: long }, 400, 'prompt', /prompt: .* the model's context is 2048/],
  ['an id that is none', { prompt: [5, 100_000] }, 400, 'prompt', /token id 100000 is not in the vocabulary/],
  ['several prompts', { prompt: ['a', 'b'] }, 400, 'prompt', /several prompts in a request are not supported/],
  ['max_tokens of 0', { max_tokens: 0 }, 400, 'max_tokens', /must be at least 1/],
  [
    'max_tokens of 10^9',
    { max_tokens: 1e9 },
    400,
    'max_tokens',
    /^max_tokens: must be at most the model's context of 2048/,
  ],
  ['max_tokens that is no number', { max_tokens: 'many' }, 400, 'max_tokens', /number/],
  ['a temperature below 0', { temperature: -1 }, 400, 'temperature', /temperature/],
  ['an empty stop text', { stop: [''] }, 400, 'stop', /^stop: must not be empty/],
  ['several answers', { n: 2 }, 400, 'n', /only one answer a request is supported/],
  ['a suffix', { suffix: 'x' }, 400, 'suffix', /suffix is not supported/],
  ['a body that is too large', { prompt: 'x'.repeat(30_000) }, 413, null, /too large/i],
])('%s is refused by name', async (_, wrong, status, param, message) => {
  const asked = { ...sampled, prompt, ...wrong } as OpenAI.CompletionCreateParamsNonStreaming;
  const error: unknown = await client.completions.create(asked).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(
    status === 400 ? OpenAI.BadRequestError : status === 404 ? OpenAI.NotFoundError : OpenAI.APIError,
  );
  expect(error).toMatchObject({ status, param, error: { message: expect.stringMatching(message) } });
  const streamed = client.completions.create({ ...asked, stream: true });
  await expect(streamed).rejects.toMatchObject({ status, param });
});

test.each<[string, object, string]>([
  ['no messages', { messages: [] }, 'messages'],
  ['a role that is none', { messages: [{ role: 'robot', content: 'x' }] }, 'messages.0.role'],
  ['an image', { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, 'messages.0.content'],
  ['messages longer than the context', { messages: [{ role: 'user', content: long }] }, 'messages'],
  ['tools', { tools: [{ type: 'function', function: { name: 'f' } }] }, 'tools'],
  ['max_completion_tokens of 10^9', { max_completion_tokens: 1e9, max_tokens: undefined }, 'max_completion_tokens'],
])('a chat with %s is refused by name', async (_, wrong, param) => {
  const asked = { ...sampled, messages, ...wrong } as OpenAI.ChatCompletionCreateParamsNonStreaming;
  const error: unknown = await client.chat.completions.create(asked).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(OpenAI.BadRequestError);
  expect(error).toMatchObject({ status: 400, param });
});

test('what is no JSON, and what is no route, are told as errors of the same form', async () => {
  const post = (body: string) =>
    fetch(`${services.url}/v1/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const broken = await post('{"model":');
  expect(broken.status).toBe(400);
  expect(await broken.json()).toMatchObject({ error: { type: 'invalid_request_error' } });
  const route = await fetch(`${services.url}/v1/embeddings`, { method: 'POST' });
  expect(route.status).toBe(404);
  expect(await route.json()).toMatchObject({ error: { message: expect.stringContaining('POST /v1/completions') } });
});

const isFree = () => untilLoaded(services, (models) => models.every(({ running, waiting }) => !running && !waiting));
/** Seconds of tokens. */
const endless = { model: 'slow', temperature: 1, seed: 7, prompt, max_tokens: 8000, stream: true } as const;
const another = { model: 'slow', prompt, max_tokens: 24 };

test('while the model is taken and nobody may wait: 429; a client that leaves its stream frees it', async () => {
  const stream = await client.completions.create(endless);
  await stream[Symbol.asyncIterator]().next();
  await untilLoaded(services, (models) => models.some(({ running }) => running === 1));
  await expect(client.completions.create(another)).rejects.toBeInstanceOf(OpenAI.RateLimitError);
  stream.controller.abort();
  await isFree();
  expect((await client.completions.create(another)).usage?.completion_tokens).toBe(24);
});

test('a client that leaves before its answer is whole frees the model as well', async () => {
  const leaving = new AbortController();
  const { stream: _, ...whole } = endless;
  const answer = client.completions.create(whole, { signal: leaving.signal });
  await untilLoaded(services, (models) => models.some(({ running }) => running === 1));
  leaving.abort();
  await expect(answer).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
  await isFree();
});

test('an answer that takes too long is a time-out, before and within a stream', async () => {
  const log = createLogger({ service: 'gateway', level: 'silent' });
  const { inference, weightLoader, platform } = services;
  const { gatekeeper } = openDoor(loadGateway({}), { log, events: platform.events });
  const limits = { maxBodyBytes: 1e6, requestTimeoutMs: 300 };
  const app = createGateway({ inference, weightLoader, log, gatekeeper, shared: new Set(), ...limits });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as { port: number };
  const impatient = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'unused', maxRetries: 0 });
  const { stream: _, ...whole } = endless;
  await expect(impatient.completions.create(whole)).rejects.toMatchObject({ status: 504, type: 'timeout' });
  const read = async () => {
    for await (const _ of await impatient.completions.create(endless));
  };
  await expect(read()).rejects.toThrow(/no answer within 300 ms/);
  await app.close();
  await isFree();
});

test("without keys it answers to this machine's own names only: a page elsewhere cannot borrow it", async () => {
  const { hostname, port } = new URL(services.url);
  const statusAs = (host: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const options = { hostname, port, path: '/v1/models', headers: { host } };
      get(options, (response) => resolve(response.resume().statusCode)).on('error', reject);
    });
  for (const name of ['localhost', '127.0.0.1', '[::1]', 'chat.localhost'])
    expect(await statusAs(`${name}:${port}`)).toBe(200);
  for (const name of ['evil.example.com', '127.0.0.1.evil.example.com', 'localhost.evil.example.com'])
    expect(await statusAs(`${name}:${port}`)).toBe(403);
});

test('the page, and whether it is alive and ready', async () => {
  const page = await fetch(services.url);
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(await page.text()).toContain('<title>Strata chat</title>');
  const status = async (path: string) => (await fetch(`${services.url}${path}`)).status;
  expect([await status('/healthz'), await status('/readyz')]).toEqual([200, 200]);
  await services.services.inference.stop();
  expect([await status('/healthz'), await status('/readyz')]).toEqual([200, 503]);
  const error: unknown = await client.completions.create({ ...sampled, prompt }).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(OpenAI.InternalServerError);
  expect(error).toMatchObject({
    status: 503,
    message: expect.stringMatching(/InferenceService at .* cannot be reached/),
  });
});
