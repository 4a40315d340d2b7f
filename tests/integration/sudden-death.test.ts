// kill -9 of the whole process while it imports, trains a tokenizer, makes a dataset, evaluates and runs a pipeline: nothing committed is lost,
// nothing half-made is seen, and the same requests finish what was begun. (Training runs: training-death.test.ts.)
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import {
  type Evaluation,
  EvaluationPhase,
  type EvaluationTask,
} from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import { PipelinePhase } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { Objective } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { readHolder } from '#lib/platform/embedded/home-lock.ts';
import { openObjectStore } from '#lib/platform/embedded/object-store.ts';
import { openArtifact } from '#lib/platform/manifest.ts';
import type { Services } from '../../services/cli/connect.ts';
import { startEverything } from '../support/everything.ts';
import { makeCharTokenizer, makeDataset, upload } from '../support/prepare.ts';
import { importModel } from '../support/serving.ts';
import { tinyModel } from '../support/tiny-models.ts';

jest.setTimeout(240_000);

let home: string;
let served: ChildProcess;
let services: Services;
const settings = {
  STRATA_ORCHESTRATOR_TICK_MS: '100',
  STRATA_TRAINER_RESTART_DELAY_MS: '50',
  // The ports change at every start here: a worker that was left behind finds nobody.
  STRATA_TRAINER_PATIENCE_MS: '1000',
};

/** All services as a process of their own, and clients of it. */
async function serve(): Promise<void> {
  const script = join(__dirname, '../support/serve-everything.ts');
  served = spawn('node', [script, home], {
    env: { ...process.env, ...settings, TMPDIR: join(home, 'tmp') },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  while (readHolder(home)?.pid !== served.pid || !readHolder(home)?.addresses.gateway) {
    if (served.exitCode !== null) throw new Error(`the services ended with ${served.exitCode}`);
    await delay(20);
  }
  services = await startEverything(home); // finds the running ones
}

async function kill(): Promise<void> {
  served.kill('SIGKILL');
  await Promise.all([once(served, 'exit'), services.close()]);
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-sudden-death-'));
  await mkdir(join(home, 'tmp')); // what the killed leave there goes with the home
  await serve();
});
afterAll(async () => {
  await services.close();
  served.kill('SIGTERM');
  await once(served, 'exit');
  await rm(home, { recursive: true, force: true });
});

const story = Array.from({ length: 60_000 }, (_, i) => `${i}: a boat waits where the river bends`).join('\n');
const { files } = tinyModel('gpt2', { contextSize: 64 });
const boats = { name: 'boats', version: '' };

/** Each begins with what it needs, under request ids of its own: it may be called again and again. */
const work = {
  model: async (): Promise<ArtifactRef | undefined> =>
    (await importModel(services, 'boats', files, { requestId: 'boats' })).ref,
  tokenizer: async () => {
    const sources = [await upload(services, 'story.txt', story)];
    return makeCharTokenizer(services, { name: 'letters', sources });
  },
  dataset: async () => {
    const object = await upload(services, 'story.txt', story);
    const sources = [{ object, format: 'text', split: Split.SPLIT_UNSPECIFIED }];
    return (
      await makeDataset(services, {
        name: 'story',
        sources,
        documentSeparator: '\n',
        tokenizer: { name: 'model:boats', version: '' },
      })
    ).ref;
  },
} satisfies Record<string, () => Promise<ArtifactRef | undefined>>;

test.each(Object.keys(work) as (keyof typeof work)[])(
  'killed again and again while it makes a %s: asked again, it makes one, whole',
  async (name) => {
    let made: ArtifactRef | undefined;
    for (const afterMs of [50, 300]) {
      const attempt = work[name]().catch(() => undefined);
      made = await Promise.race([attempt, delay(afterMs, undefined)]);
      await kill();
      await attempt;
      await serve();
    }
    expect(await work[name]()).toEqual(made ?? { name: expect.any(String), version: 'v1' });
    const folder = `${name}s`;
    const [version, ...others] = await readdir(join(home, 'objects', folder, await nameOf(folder)));
    expect([version, others]).toEqual(['v1', []]);
    await verify(`${folder}/${await nameOf(folder)}/v1`);
  },
);

const nameOf = async (folder: string): Promise<string> => (await readdir(join(home, 'objects', folder)))[0] ?? '';

/** Every part is what the manifest says. */
async function verify(prefix: string): Promise<void> {
  const objects = await openObjectStore(join(home, 'objects'));
  await (await openArtifact(objects, prefix)).verify();
}

const task: EvaluationTask = {
  task: {
    $case: 'languageModelling',
    value: { dataset: { name: 'story', version: '' }, split: Split.SPLIT_VALIDATION, blockSize: 0, maxTokens: 0 },
  },
};

async function finished(evaluationId: string): Promise<Evaluation> {
  let last: Evaluation | undefined;
  for await (const { evaluation } of services.evaluator.watchEvaluation({ evaluationId })) last = evaluation;
  if (!last) throw new Error('the evaluation ended without saying so');
  return last;
}

/** Waits until the first worker of an evaluation runs: its process. */
async function workerOf(id: string): Promise<number> {
  for (;;) {
    try {
      return JSON.parse(readFileSync(join(home, 'jobs', `evaluation-${id}-1`, 'started.json'), 'utf8')).pid;
    } catch {
      await delay(10);
    }
  }
}

test.each([
  ['its worker', async (pid: number) => void process.kill(pid, 'SIGKILL')],
  [
    'everything',
    async (pid: number) => {
      process.kill(pid, 'SIGKILL');
      await kill();
      await serve();
    },
  ],
  [
    'all but its worker',
    async () => {
      await kill();
      await serve();
    },
  ],
])('an evaluation survives the death of %s', async (_, die) => {
  const { evaluation } = await services.evaluator.createEvaluation({ model: boats, tasks: [task] });
  const id = evaluation?.id ?? '';
  await die(await workerOf(id));
  const { phase, error, results } = await finished(id);
  expect([phase, error]).toEqual([EvaluationPhase.EVALUATION_PHASE_SUCCEEDED, '']);
  expect(results.map(({ scores }) => scores[0]?.metric)).toEqual(['loss']);
});

test('a pipeline survives a death in each of its phases: one dataset, one run, one promotion', async () => {
  const base = boats;
  const hyperparameters = { maxSteps: 60, batchSize: 4, blockSize: 16, learningRate: 3e-3, checkpointEvery: 20 };
  await services.orchestrator.applyPipeline({
    pipeline: {
      task: 'topics',
      base,
      objective: Objective.OBJECTIVE_CLASSIFY,
      hyperparameters,
      gate: { metric: 'accuracy', threshold: 0, beatBaseline: false, minImprovement: -1 },
      batching: { minExamples: 1, maxWaitSeconds: 1, debounceSeconds: 0 },
    },
  });
  const rows = Array.from({ length: 200 }, (_, i) => ({
    text: `${i % 2 ? 'a boat' : 'the rain'} ${i}`,
    label: i % 2 ? 'boat' : 'rain',
  }));
  await services.orchestrator.addLabels(labelled('topics', rows.map((row) => JSON.stringify(row)).join('\n')));
  const phases = await dieInEachPhase('topics');
  expect(phases.size).toBeGreaterThan(1);
  const [ended, ...others] = await pipelineRuns('topics');
  expect(others).toEqual([]);
  expect(ended).toMatchObject({
    phase: PipelinePhase.PIPELINE_PHASE_PROMOTED,
    candidate: { name: 'topics', version: 'v1' },
  });
  const { model } = await services.weightLoader.getModel({ model: { name: 'topics', version: '' } });
  const { datasets } = await services.dataSampler.listDatasets({});
  const { runs } = await services.trainer.listRuns({ labels: { pipeline_run: ended?.id ?? '' } });
  const made = [model?.versions, datasets.filter(({ ref }) => ref?.name === 'topics-labels'), runs];
  expect(made.map((each) => each?.length)).toEqual([1, 1, 1]);
  const { classifications } = await services.inference.classify({ model: { name: 'topics' }, texts: ['a boat 7'] });
  expect(classifications[0]?.label).toBe('boat');
});

const pipelineRuns = async (task: string) => (await services.orchestrator.listPipelineRuns({ task })).pipelineRuns;

/** Kills everything once in each phase that is seen, until the pipeline run has ended. */
async function dieInEachPhase(task: string): Promise<Set<PipelinePhase>> {
  const phases = new Set<PipelinePhase>();
  for (;;) {
    const [latest] = await pipelineRuns(task);
    if (latest?.endTime) return phases;
    if (latest && !phases.has(latest.phase)) {
      phases.add(latest.phase);
      await delay(100);
      await kill();
      await serve();
    }
    await delay(20);
  }
}

async function* labelled(name: string, content: string) {
  const file = { filename: 'labels.jsonl', sizeBytes: 0, sha256: '' };
  yield { part: { $case: 'header' as const, value: { task: name, file } } };
  yield { part: { $case: 'chunk' as const, value: Buffer.from(content) } };
}
