// The whole way in the cluster: text -> tokenizer -> dataset -> a Job on the GPU pool -> a registered model -> text over gRPC from another pod.
import { beforeAll, expect, test } from '@jest/globals';
import type { Run } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { cluster } from '../frame/places.ts';
import { strata } from '../support/client.ts';
import { jobsOf, podsOf, startRun, untilSucceeded } from '../support/runs.ts';
import { useServices } from '../support/services.ts';

const services = useServices();
let run: Run;

beforeAll(async () => {
  run = await untilSucceeded(services, await startRun(services, 'e2e-sums', { maxSteps: 200 }));
}, 240_000);

test('a run is one Job, on the GPU pool, which asks for one nvidia.com/gpu', async () => {
  const jobs = await jobsOf(run.id);
  expect(jobs).toHaveLength(1);
  const [container] = jobs[0]?.spec.template.spec.containers ?? [];
  expect(container?.resources?.limits).toMatchObject({ 'nvidia.com/gpu': '1' });
  const nodes = (await podsOf(run.id)).map(({ spec }) => spec.nodeName);
  expect(nodes).toEqual([cluster.gpuNode]);
});

test('it has learned: the last loss is well below the first', async () => {
  const losses: number[] = [];
  for await (const { event } of services.trainer.watchRun({ runId: run.id })) {
    if (event?.$case === 'metrics') losses.push(event.value.loss);
  }
  expect(losses).toHaveLength(200);
  expect(losses.at(-1)).toBeLessThan(0.8 * (losses[0] ?? 0));
});

test('another pod generates with it over gRPC, and gets what this machine gets', async () => {
  const flags = ['--max-tokens', '12', '--temperature', '0', '--json'];
  const model = `${run.model?.name}@${run.model?.version}`;
  const inside = JSON.parse(await strata(['generate', model, '3+14=', ...flags])) as { text: string };
  let here = '';
  const sampling = { maxTokens: 12, temperature: 0 };
  for await (const { text } of services.inference.generate({
    model: { name: run.model?.name ?? '', version: run.model?.version ?? '' },
    prompt: { $case: 'text', value: '3+14=' },
    sampling,
  })) {
    here += text;
  }
  expect(inside.text).toBe(here);
  expect(here).toMatch(/^[0-9+=\n]+/);
}, 90_000);
