// A client's deadline and a client that leaves reach the model through the network: it stops computing and is free for the next one.
import { beforeAll, expect, test } from '@jest/globals';
import type { LoadedModel } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { useServices } from '../support/services.ts';
import { ensureSlowModel, slowRequest } from '../support/slow-model.ts';
import { waitFor } from '../support/wait-for.ts';

const services = useServices();

const running = async (): Promise<LoadedModel[]> =>
  (await services.inference.listLoadedModels({})).models.filter((model) => model.running > 0 || model.waiting > 0);

const untilBusy = () => waitFor('a running request', running, (models) => models.length === 1);
const untilFree = () => waitFor('a model that is free', running, (models) => models.length === 0, { timeoutMs: 5000 });

/** Seconds of tokens, unless somebody ends it. */
async function read(options: { signal?: AbortSignal; deadlineMs?: number }, maxTokens = 8000): Promise<number> {
  let tokens = 0;
  for await (const { ids } of services.inference.generate(slowRequest({ maxTokens }), options))
    tokens += ids.length / 4;
  return tokens;
}

beforeAll(async () => {
  await ensureSlowModel(services);
  await read({}, 1); // it is loaded: the deadline is the generation's own
}, 120_000);

test('a deadline ends a generation, and the model is free', async () => {
  const reading = read({ deadlineMs: 1500 });
  const failed = expect(reading).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  await untilBusy();
  await failed;
  await untilFree();
}, 60_000);

test('a client that leaves ends its generation, and the model is free', async () => {
  const leaving = new AbortController();
  const reading = read({ signal: leaving.signal });
  const failed = expect(reading).rejects.toMatchObject({ name: 'AbortError' });
  await untilBusy();
  leaving.abort();
  await failed;
  await untilFree();
}, 60_000);
