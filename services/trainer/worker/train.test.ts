// The loop with the real engine and a tiny model; the batches are a function of the position, as the data sampler's are.
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Hyperparameters, type MetricPoint } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { gptConfig } from '#lib/model/config.ts';
import { createTrainer } from '#lib/model/create-trainer.ts';
import { encodeSafetensors } from '#lib/model/formats/write-safetensors.ts';
import type { Weights } from '#lib/model/weights.ts';
import { openObjectStore } from '#lib/platform/embedded/object-store.ts';
import { createLogger } from '#lib/platform/log.ts';
import { openEngine } from '#lib/tensor/engine.ts';
import { libraryDir } from '../../../tests/support/library-dir.ts';
import { withDefaults } from '../hyperparameters.ts';
import { runIn } from '../run.fixture.ts';
import type { CountedBatch } from './batches.ts';
import { type Checkpoints, createCheckpoints } from './checkpoints.ts';
import type { Report } from './report.ts';
import type { Sampler } from './sampler.ts';
import { train } from './train.ts';

openEngine({ libraryDir });

const config = gptConfig({ vocabSize: 11, contextSize: 8, nLayer: 1, nHead: 2, nEmbd: 8 }, { dropout: 0.1 });
const asked = {
  maxSteps: 8,
  batchSize: 2,
  accumulationSteps: 2,
  evalEvery: 3,
  checkpointEvery: 4,
  learningRate: 1e-2,
  gradClip: 1,
};
const hyperOf = (more: Partial<Hyperparameters> = {}) =>
  withDefaults(Hyperparameters.create({ ...asked, ...more }), { finetune: false, context: 8 });

/** Micro-batch number `n` of the stream. */
const batchAt = (n: number): CountedBatch => {
  const ids = Int32Array.from({ length: 16 }, (_, i) => (n * 7 + i * i) % 11);
  return { tokens: 16, batch: { rows: 2, columns: 8, ids, targets: ids.map((id) => (id + 1) % 11) } };
};
const sampler: Sampler = {
  async *training(step) {
    for (let n = step * 2; ; n += 1) yield batchAt(n);
  },
  async *validation() {
    yield batchAt(1000);
  },
};

let folder: string;
let checkpoints: Checkpoints;
let points: Map<number, MetricPoint>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strata-train-'));
  const log = createLogger({ service: 'test', level: 'silent' });
  checkpoints = createCheckpoints({
    objects: await openObjectStore(folder),
    run: runIn({ phase: 'running', job: 'j' }),
    log,
  });
  points = new Map();
});
afterEach(() => rm(folder, { recursive: true }));

interface AttemptOptions {
  hyper?: Partial<Hyperparameters>;
  /** Called after every step that was reported. */
  onPoint?: (point: MetricPoint, stop: () => void) => void;
}

/** One attempt, from the newest checkpoint on. */
const attempt = async ({ hyper = {}, onPoint }: AttemptOptions = {}) => {
  const checkpoint = await checkpoints.loadNewest();
  const from = checkpoint?.position ?? { step: 0, nextSample: 0, tokensSeen: 0, best: null };
  const hyperparameters = hyperOf(hyper);
  const start = checkpoint && { step: from.step, ...checkpoint };
  using trainer = createTrainer({
    config,
    objective: 'lm',
    hyper: { ...hyperparameters, dropout: 0.1 },
    seed: 5,
    start,
  });
  const stopping = new AbortController();
  const report: Report = {
    async add(point) {
      points.set(point.step, point);
      onPoint?.(point, () => stopping.abort());
    },
    flush: async () => undefined,
    checkpointSaved: async () => undefined,
  };
  const common = { trainer, from, hyperparameters, sampler, checkpoints, report, stop: stopping.signal };
  const position = await train({ ...common, classify: false, isTrained: () => true, hasValidation: true });
  return { position, sha256: sha256Of(trainer.weights()) };
};

const sha256Of = (weights: Weights): string => {
  const hash = createHash('sha256');
  for (const part of encodeSafetensors(weights)) hash.update(part);
  return hash.digest('hex');
};
const curve = () => [...points.values()].map(({ step, loss, validationLoss }) => [step, loss, validationLoss]);

test('a run that is stopped and resumed, or dies and starts again from its checkpoint, ends with the same bits and the same curve', async () => {
  const reference = await attempt();
  const expected = curve();
  expect(expected).toHaveLength(8);
  expect(expected.filter(([, , validation]) => validation !== undefined).map(([step]) => step)).toEqual([3, 6, 8]);

  for (const kind of ['stopped', 'killed'] as const) {
    await rm(join(folder, 'runs'), { recursive: true });
    points.clear();
    const first = attempt({
      onPoint: ({ step }, stop) => {
        if (step !== 6) return;
        if (kind === 'killed') throw new Error('killed');
        stop();
      },
    });
    if (kind === 'killed') await expect(first).rejects.toThrow('killed');
    else expect((await first).position).toMatchObject({ step: 6, nextSample: 24, tokensSeen: 192 });
    expect((await checkpoints.loadNewest())?.position.step).toBe(kind === 'killed' ? 4 : 6);
    expect((await attempt()).sha256).toBe(reference.sha256);
    expect(curve()).toEqual(expected);
  }
});

test('a loss that is no number ends the run with the step, the learning rate and what to try; the checkpoint before it stays', async () => {
  const diverging = attempt({ hyper: { learningRate: 1e30, gradClip: 0, checkpointEvery: 1 } });
  await expect(diverging).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringMatching(/loss is NaN at step 2 .*learning rate .*e\+29.* lower learning_rate/s),
  });
  expect((await checkpoints.loadNewest())?.position.step).toBe(1);
});

test('the best validation keeps its checkpoint when the run wants its best weights', async () => {
  await attempt({
    hyper: { maxSteps: 30, evalEvery: 1, checkpointEvery: 30, keepBest: true, keepCheckpoints: 1, learningRate: 0.3 },
  });
  const newest = await checkpoints.loadNewest();
  const losses = [...points.values()].map(({ validationLoss = 0 }) => validationLoss);
  const best = newest?.position.best;
  expect(best?.validationLoss).toBe(Math.min(...losses));
  expect(newest?.position.step).toBe(30);
  expect((await checkpoints.loadWeights(best?.step ?? 0)).size).toBeGreaterThan(0);
});
