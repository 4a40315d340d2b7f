// A request that finds inference away is held by the gateway until it is there. Inference is a process of its own that is started late.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import OpenAI from 'openai';
import { type Activity, keys } from '#lib/contracts/keys.ts';
import { importModel, type ServingServices, startServing } from '../support/serving.ts';
import { tinyModel } from '../support/tiny-models.ts';

jest.setTimeout(60_000);

const holdMs = 30_000;
let home: string;
let services: ServingServices;
let inference: ChildProcess | undefined;
let client: OpenAI;
const request = { model: 'boats', prompt: 'When the rain comes', max_tokens: 8, temperature: 0, seed: 7 };

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-zero-'));
  services = await startServing(home, { STRATA_GATEWAY_HOLD_MS: String(holdMs), STRATA_INFERENCE_THREADS: '1' });
  await importModel(services, 'boats', tinyModel('gpt2').files);
  client = new OpenAI({ baseURL: `${services.url}/v1`, apiKey: 'unused', maxRetries: 0 });
  await services.services.inference.stop();
});
afterAll(async () => {
  inference?.kill('SIGKILL');
  if (inference) await once(inference, 'exit');
  await services.stop();
  await rm(home, { recursive: true });
});

const startInference = (): void => {
  const { inference: gone, weightLoader } = services.services;
  inference = spawn(process.execPath, ['services/inference/main.ts'], {
    stdio: 'ignore',
    env: {
      ...process.env,
      STRATA_HOME: home,
      STRATA_INFERENCE_PORT: gone.address.split(':')[1],
      STRATA_WEIGHT_LOADER_ADDRESS: weightLoader.address,
      STRATA_INFERENCE_THREADS: '1',
    },
  });
};
const wantedAt = async (): Promise<number> => {
  const entry = await services.platform.state.get<Activity>(keys.activity('inference'));
  return entry ? Date.parse(entry.value.wantedAt) : 0;
};
/** Until inference is wanted by somebody who came after `since`. */
const untilWanted = async (since: number): Promise<void> => {
  while ((await wantedAt()) < since) await delay(20);
};

test('requests wait, streamed or not, say that inference is wanted, and are answered once it is there', async () => {
  const since = Date.now();
  const whole = client.completions.create(request);
  const streamed = client.completions.create({ ...request, stream: true });
  await untilWanted(since);
  startInference();
  const text = (await whole).choices[0]?.text;
  let pieces = '';
  for await (const chunk of await streamed) pieces += chunk.choices[0]?.text ?? '';
  expect(text).toMatch(/./);
  expect(pieces).toBe(text);
  expect(await (await fetch(`${services.url}/readyz`)).json()).toEqual({ status: 'ready' });
});
