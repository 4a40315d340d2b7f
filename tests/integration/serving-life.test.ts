// What happens to requests when models change, callers leave, too many come, files are damaged and services go away.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type {
  DeepPartial,
  GenerateRequest,
  GenerateResponse,
  LoadedModel,
  SamplingParameters,
} from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { importModel, type ServingServices, startServing, untilLoaded } from '../support/serving.ts';
import { tinyModel } from '../support/tiny-models.ts';

jest.setTimeout(60_000);

let services: ServingServices;
let home: string;
const first = tinyModel('gpt2', { seed: 1, contextSize: 8192, width: 256 });
const second = tinyModel('gpt2', { seed: 2, contextSize: 8192, width: 256 });

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-serving-life-'));
  services = await startServing(home, { STRATA_INFERENCE_THREADS: '1', STRATA_INFERENCE_MAX_WAITING: '2' });
});
afterAll(async () => {
  await services.stop();
  await rm(home, { recursive: true });
});

const requestFor = (name: string, sampling: DeepPartial<SamplingParameters>): DeepPartial<GenerateRequest> => ({
  model: { name },
  prompt: { $case: 'text', value: 'A boat' },
  sampling: { temperature: 1, seed: 1, ...sampling },
});

async function generate(name: string, sampling: DeepPartial<SamplingParameters> = { maxTokens: 5 }) {
  const pieces: GenerateResponse[] = [];
  for await (const piece of services.inference.generate(requestFor(name, sampling))) pieces.push(piece);
  return { text: pieces.map(({ text }) => text).join(''), version: pieces[0]?.model?.version };
}

/** Seconds of tokens. */
const long = { maxTokens: 2500 };
const endless = { maxTokens: 8000 };

/** A stream that has begun, and that nobody reads on from until `rest` is called. */
async function begin(
  name: string,
  { signal = new AbortController().signal, deadlineMs = 60_000, sampling = endless } = {},
) {
  const stream = services.inference.generate(requestFor(name, sampling), { signal, deadlineMs });
  const iterator = stream[Symbol.asyncIterator]();
  const { value } = await iterator.next();
  let text = (value as GenerateResponse).text;
  return {
    version: (value as GenerateResponse).model?.version,
    async rest(): Promise<string> {
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) text += next.value.text;
      return text;
    },
  };
}

const only = (name: string, models: LoadedModel[]): LoadedModel[] => models.filter(({ ref }) => ref?.name === name);
const versionsOf = (name: string, models: LoadedModel[]) => only(name, models).map(({ ref }) => ref?.version);
const isFree = (name: string) => (models: LoadedModel[]) =>
  only(name, models).every(({ running, waiting }) => running === 0 && waiting === 0);

test('a promotion under a running stream: it finishes on its version, the next request has the new one, the old is unloaded', async () => {
  await importModel(services, 'moving', first.files);
  await importModel(services, 'moving', second.files, { noPromote: true });
  const running = await begin('moving', { sampling: long });
  expect(running.version).toBe('v1');

  await services.weightLoader.promoteModel({ model: { name: 'moving', version: 'v2' } });
  const both = await untilLoaded(services, (models) => versionsOf('moving', models).length === 2);
  expect(only('moving', both).find(({ ref }) => ref?.version === 'v1')?.running).toBe(1);
  await untilLoaded(services, (models) =>
    only('moving', models).some(({ ref, aliases }) => ref?.version === 'v2' && aliases.includes('moving')),
  );
  expect((await generate('moving')).version).toBe('v2');

  const text = await running.rest();
  await untilLoaded(services, (models) => String(versionsOf('moving', models)) === 'v2');

  await services.weightLoader.rollbackModel({ name: 'moving' });
  await untilLoaded(services, (models) => String(versionsOf('moving', models)) === 'v1');
  expect((await generate('moving', long)).text).toBe(text);
});

test('nothing fails while versions change under a steady load', async () => {
  let isOver = false;
  const seen = new Set<string | undefined>();
  const client = async () => {
    while (!isOver) seen.add((await generate('moving')).version);
  };
  const clients = Promise.all([client(), client()]);
  for (const version of ['v2', 'v1', 'v2']) {
    await services.weightLoader.promoteModel({ model: { name: 'moving', version } });
    await untilLoaded(services, (models) => String(versionsOf('moving', models)) === version);
  }
  isOver = true;
  await clients;
  expect([...seen].sort()).toEqual(['v1', 'v2']);
});

test('a promoted version whose files are damaged is not taken: the old one goes on serving', async () => {
  await importModel(services, 'careful', first.files);
  await importModel(services, 'careful', second.files, { noPromote: true });
  await generate('careful');
  await flipBit('models/careful/v2/model.safetensors');
  await services.weightLoader.promoteModel({ model: { name: 'careful', version: 'v2' } });
  const dead = await eventually(async () => {
    const letters = await services.platform.events.deadLetters();
    return letters.find(({ event }) => JSON.stringify(event.data).includes('careful'));
  });
  expect(dead.reason).toMatch(/^DATA_LOSS: models\/careful\/v2\/model.safetensors is damaged/);
  expect((await generate('careful')).version).toBe('v1');
});

test.each([
  ['whose caller leaves', 'AbortError', 'aborted'],
  ['whose deadline passes', 'AppError', 'no answer within'],
] as const)('a stream %s stops at once, and the model is free', async (_, name, message) => {
  await importModel(services, 'held', first.files, { requestId: 'held' });
  await generate('held'); // it is loaded: the deadline is the stream's own
  const leaving = new AbortController();
  const options = name === 'AbortError' ? { signal: leaving.signal } : { deadlineMs: 1500 };
  const running = await begin('held', options);
  await untilLoaded(services, (models) => only('held', models)[0]?.running === 1);
  leaving.abort();
  await untilLoaded(services, isFree('held'));
  await expect(running.rest()).rejects.toMatchObject({ name, message: expect.stringContaining(message) });
  expect((await generate('held')).text).not.toBe('');
});

test('one runs, the others wait in order; too many are refused; who leaves the queue makes room', async () => {
  await importModel(services, 'busy', first.files);
  const leaving = new AbortController();
  const running = await begin('busy', { signal: leaving.signal });
  const impatient = new AbortController();
  const left = begin('busy', { signal: impatient.signal });
  const waiting = [generate('busy')];
  await untilLoaded(services, (models) => only('busy', models)[0]?.waiting === 2);
  await expect(generate('busy')).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: expect.stringMatching(/2 requests wait for this model already: try again later/),
  });
  await expect(
    services.inference.score({ model: { name: 'busy' }, items: [{ context: 'A', continuation: 'B' }] }),
  ).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  impatient.abort();
  await expect(left).rejects.toMatchObject({ name: 'AbortError' });
  await untilLoaded(services, (models) => only('busy', models)[0]?.waiting === 1);
  waiting.push(generate('busy'));
  leaving.abort();
  await expect(running.rest()).rejects.toMatchObject({ name: 'AbortError' });
  const [one, other] = await Promise.all(waiting);
  expect(one).toEqual(other);
});

test('a damaged file is DATA_LOSS that names it, and loads nothing; mended, it is served', async () => {
  await importModel(services, 'damaged', first.files);
  for (const part of ['model.safetensors', 'config.json', 'manifest.json']) {
    const key = `models/damaged/v1/${part}`;
    await flipBit(key, part === 'manifest.json' ? 0 : 100);
    await expect(generate('damaged')).rejects.toMatchObject({
      code: 'DATA_LOSS',
      message: expect.stringContaining(`${key} is damaged`),
    });
    await flipBit(key, part === 'manifest.json' ? 0 : 100);
  }
  const { models } = await services.inference.listLoadedModels({});
  expect(only('damaged', models)).toEqual([]);
  expect((await generate('damaged')).version).toBe('v1');
});

test('what is loaded goes on serving while the registry is away; what is not says who cannot be reached', async () => {
  await importModel(services, 'lasting', first.files);
  await generate('lasting');
  await services.services.weightLoader.stop();
  expect((await generate('lasting')).version).toBe('v1');
  await expect(generate('absent')).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(/WeightLoaderService at .* cannot be reached/),
  });
});

async function flipBit(key: string, at = 100): Promise<void> {
  const path = join(home, 'objects', key);
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] as number) ^ 1;
  await writeFile(path, bytes);
}

async function eventually<T>(find: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
    const found = await find();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it did not happen within 20 seconds');
}
