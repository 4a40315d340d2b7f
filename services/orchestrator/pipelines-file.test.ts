import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { Objective } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { openDatabase } from '#lib/platform/embedded/database.ts';
import { createKeyValue } from '#lib/platform/embedded/key-value.ts';
import { createLogger } from '#lib/platform/log.ts';
import { findPipeline, listPipelines, savePipeline } from './pipeline.ts';
import { followPipelines, parsePipelines } from './pipelines-file.ts';

const spam = (threshold: number): string => `
- task: spam
  base: { name: gpt2, version: v1 }
  objective: classify
  device: gpu
  hyperparameters: { max_steps: 200, learningRate: 0.0001 }
  gate: { metric: accuracy, threshold: ${threshold}, beat_baseline: true }
  batching: { min_examples: 10, max_wait_seconds: 60, debounce_seconds: 0 }
`;

test('a pipeline in YAML is one of the contract, with its defaults; JSON is YAML', () => {
  const [pipeline] = parsePipelines(spam(0.9));
  expect(pipeline).toMatchObject({
    task: 'spam',
    base: { name: 'gpt2', version: 'v1' },
    objective: Objective.OBJECTIVE_CLASSIFY,
    outputModel: 'spam',
    alias: 'production',
    device: 'gpu',
    hyperparameters: { maxSteps: 200, learningRate: 0.0001 },
    gate: { metric: 'accuracy', threshold: 0.9, beatBaseline: true },
    batching: { minExamples: 10, maxWaitSeconds: 60, debounceSeconds: 0 },
  });
  const json = JSON.stringify([{ task: 'faq', base: { name: 'gpt2' }, objective: 'OBJECTIVE_INSTRUCT' }]);
  expect(parsePipelines(json)).toMatchObject([{ task: 'faq', gate: { metric: 'loss' } }]);
  expect(parsePipelines('')).toEqual([]);
});

test('every mistake is named by its place', () => {
  const text = `
- { task: Spam, base: { name: gpt2 }, objective: pretrain }
- { task: faq, base: gpt2, objektive: instruct }
- { task: faq, base: { name: gpt2 }, objective: classify, gate: { metric: bleu, thresholds: 1 }, seed: "7" }
- { task: a, base: { name: gpt2 }, objective: classify }
- { task: a, base: { name: gpt2 }, objective: classify }
- nothing
`;
  let message = '';
  try {
    parsePipelines(text);
  } catch (error) {
    message = (error as Error).message;
  }
  for (const problem of [
    /\[0\]\.task: must be 1 to 63 lower-case/,
    /\[0\]\.objective: must be OBJECTIVE_CLASSIFY or/,
    /\[1\]\.base: must hold fields/,
    /\[1\]\.objektive: is not known here; there are task, base, objective/,
    /\[2\]\.gate\.thresholds: is not known here; there are metric, threshold/,
    /\[2\]\.seed: must be a number; it is "7"/,
    /\[4\]\.task: "a" stands here twice/,
    /\[5\]: must be a pipeline/,
  ]) {
    expect(message).toMatch(problem);
  }
  expect(() => parsePipelines('task: spam')).toThrow('must be a list of pipelines');
});

/** A mounted ConfigMap: the file is a link through a link that is swapped. */
async function mount(folder: string, version: string, text: string): Promise<void> {
  await mkdir(join(folder, version));
  await writeFile(join(folder, version, 'pipelines.yaml'), text);
  await symlink(version, join(folder, '..data.new'));
  await rename(join(folder, '..data.new'), join(folder, '..data'));
}

test('a mounted file is applied at start and when it is swapped; a wrong one leaves the last good ones; others stay', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strata-pipelines-'));
  const database = openDatabase(join(folder, 'state.db'));
  const state = createKeyValue(database);
  const [other] = parsePipelines('[{ task: other, base: { name: gpt2 }, objective: instruct }]');
  if (other) await savePipeline(state, other);
  const path = join(folder, 'pipelines.yaml');
  await symlink('..data/pipelines.yaml', path);
  await mount(folder, 'one', spam(0.9));

  const stopping = new AbortController();
  const lines: string[] = [];
  const log = createLogger({ service: 'orchestrator', destination: { write: (line) => void lines.push(line) } });
  await followPipelines({ path, state, log, signal: stopping.signal, everyMs: 10 });
  const thresholdOf = async () => (await findPipeline(state, 'spam'))?.gate?.threshold;
  expect(await thresholdOf()).toBe(0.9);

  await mount(folder, 'two', `${spam(0.5)}\n- { task: broken }`);
  while (!lines.some((line) => line.includes('stay as they were'))) await delay(5);
  expect(lines.join('\n')).toContain('[1].base: the model to finetune is required');
  expect(await thresholdOf()).toBe(0.9);

  await mount(folder, 'three', spam(0.7));
  while ((await thresholdOf()) !== 0.7) await delay(5);
  expect((await listPipelines(state)).map(({ task }) => task)).toEqual(['other', 'spam']);

  stopping.abort();
  await mount(folder, 'four', 'wrong');
  const failing = followPipelines({ path, state, log, signal: new AbortController().signal });
  await expect(failing).rejects.toThrow(/STRATA_ORCHESTRATOR_PIPELINES_FILE: .*must be a list of pipelines/);
  await state.close();
  database.close();
  await rm(folder, { recursive: true });
});
