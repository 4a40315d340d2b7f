import { expect, test } from '@jest/globals';
import { openEngine } from '#lib/tensor/engine.ts';
import { libraryDir } from '../../tests/support/library-dir.ts';
import type { LabelledBatch, TokenBatch } from './batches.ts';
import { asClassifier, gptConfig, llamaConfig } from './config.ts';
import { createTrainer } from './create-trainer.ts';
import { initWeights, inLastLayers } from './params.ts';
import type { Hyperparameters, TrainerOptions } from './trainer.ts';
import type { Weights } from './weights.ts';

const engine = openEngine({ libraryDir });
const { abs, log, floor } = Math;

const shape = { vocabSize: 65, contextSize: 32, nLayer: 1, nHead: 2, nEmbd: 32 };
const config = gptConfig(shape, { bias: false });
const hyper: Hyperparameters = {
  learningRate: 1e-2,
  minLearningRate: 1e-3,
  warmupSteps: 2,
  maxSteps: 60,
  beta1: 0.9,
  beta2: 0.99,
  weightDecay: 0.1,
  gradClip: 1,
  dropout: 0,
};
const options: TrainerOptions = { config, objective: 'lm', hyper, seed: 7 };

/** Text in which each character follows from the one before, so that there is something to learn. */
function textBatch(
  rows: number,
  offset: number,
  masked: (row: number, column: number) => boolean = () => false,
): TokenBatch {
  const at = (i: number) => (floor(i / 32) * 11 + offset + (i % 32) * 7) % 65;
  const size = rows * 32;
  return {
    rows,
    columns: 32,
    ids: Int32Array.from({ length: size }, (_, i) => at(i)),
    targets: Int32Array.from({ length: size }, (_, i) => (at(i) + 7) % 65),
    mask: Uint8Array.from({ length: size }, (_, i) => (masked(floor(i / 32), i % 32) ? 0 : 1)),
  };
}

/** Rows `from` up to `to` of a batch. */
function rowsOf({ columns, ids, targets, mask = new Uint8Array() }: TokenBatch, from: number, to: number): TokenBatch {
  const [start, end] = [from * columns, to * columns];
  return {
    rows: to - from,
    columns,
    ids: ids.slice(start, end),
    targets: targets.slice(start, end),
    mask: mask.slice(start, end),
  };
}

function largestDifference(a: Weights, b: Weights): number {
  let most = 0;
  for (const [name, { data }] of a) {
    const other = b.get(name)?.data;
    for (const [i, value] of data.entries()) most = Math.max(most, abs(value - (other?.[i] ?? Number.NaN)));
  }
  return most;
}

test.each([
  ['gpt2', config],
  ['gpt2 with biases', gptConfig(shape)],
  ['llama', llamaConfig(shape, { nKvHead: 1 })],
])('a fresh %s is as surprised as a guess: its loss is ln V within 0.2', async (_, fresh) => {
  using trainer = createTrainer({ ...options, config: fresh });
  const { loss, scored } = await trainer.evaluate([textBatch(4, 0), textBatch(4, 1)]);
  expect(abs(loss - log(65))).toBeLessThan(0.2);
  expect(scored).toBe(256);
});

test('sixty updates learn a sequence in which every character follows from the one before', async () => {
  using trainer = createTrainer(options);
  const losses = Array.from({ length: 60 }, (_, i) => trainer.update([textBatch(4, i)]).loss);
  expect(losses[0]).toBeGreaterThan(4);
  expect(losses.at(-1)).toBeLessThan(0.5);
  const { accuracy } = await trainer.evaluate([textBatch(4, 3)]);
  expect(accuracy).toBeGreaterThan(0.9);
});

test('12 x 1, 6 x 2 and 3 x 4 rows with unequal masks make the same loss, gradient norm and weights', () => {
  const batch = textBatch(12, 0, (row, column) => column < row * 2 || (row === 5 && column > 0));
  const states = [1, 2, 4].map((parts) => {
    using trainer = createTrainer(options);
    const size = 12 / parts;
    const cut = () => Array.from({ length: parts }, (_, i) => rowsOf(batch, i * size, (i + 1) * size));
    const metrics = [trainer.update(cut()), trainer.update(cut())];
    return { metrics, weights: trainer.weights() };
  });
  const [whole, ...others] = states;
  for (const { metrics, weights } of others) {
    for (const [i, { loss, gradNorm, scored }] of metrics.entries()) {
      expect(abs(loss - (whole?.metrics[i]?.loss ?? 0))).toBeLessThan(1e-5);
      expect(abs(gradNorm - (whole?.metrics[i]?.gradNorm ?? 0))).toBeLessThan(1e-5);
      expect(scored).toBe(whole?.metrics[i]?.scored);
    }
    expect(largestDifference(weights, whole?.weights ?? new Map())).toBeLessThan(1e-4);
  }
});

test('a micro-batch without anything to score changes nothing', () => {
  const none = textBatch(2, 5, () => true);
  const [plain, beside] = [[textBatch(2, 0)], [textBatch(2, 0), none]].map((batches) => {
    using trainer = createTrainer(options);
    return { ...trainer.update(batches), weights: trainer.weights() };
  });
  expect(beside?.loss).toBeCloseTo(plain?.loss ?? 0, 5);
  expect(beside?.scored).toBe(64);
  expect(largestDifference(beside?.weights ?? new Map(), plain?.weights ?? new Map())).toBeLessThan(1e-5);
});

test('a step without anything to score has loss 0 and leaves every weight a number', () => {
  using trainer = createTrainer(options);
  expect(trainer.update([textBatch(2, 5, () => true)])).toMatchObject({ loss: 0, gradNorm: 0, scored: 0 });
  for (const { data } of trainer.weights().values()) expect(data.every(Number.isFinite)).toBe(true);
});

test.each([0, 0.1])('a run stopped and resumed has the same bits as one that went on (dropout %d)', (dropout) => {
  const noisy = { ...options, hyper: { ...hyper, dropout } };
  const batches = (step: number) => [textBatch(2, step), textBatch(2, step + 100)];
  using through = createTrainer(noisy);
  const losses = Array.from({ length: 6 }, (_, step) => through.update(batches(step)).loss);

  using first = createTrainer(noisy);
  const before = Array.from({ length: 3 }, (_, step) => first.update(batches(step)).loss);
  const { step: at, weights, optimizer } = first.state();
  const reversed = new Map([...weights].reverse()); // a file may order its tensors in another way
  using second = createTrainer({ ...noisy, start: { step: at, weights: reversed, optimizer } });
  const after = Array.from({ length: 3 }, () => second.update(batches(second.step)).loss);

  expect([...before, ...after]).toEqual(losses);
  expect(second.state()).toEqual(through.state());
});

test('dropout depends on the seed, changes from step to step, and is off in evaluations', async () => {
  const lossesOf = (seed: number) => {
    const still = { ...hyper, dropout: 0.5, learningRate: 1e-12, minLearningRate: 1e-12 };
    using trainer = createTrainer({ ...options, seed, hyper: still, start: initWeights(config, 1) });
    return [trainer.update([textBatch(2, 0)]).loss, trainer.update([textBatch(2, 0)]).loss];
  };
  const [a, again, b] = [lossesOf(1), lossesOf(1), lossesOf(2)];
  expect(again).toEqual(a);
  expect(new Set([...a, ...b]).size).toBe(4);
  using trainer = createTrainer({ ...options, hyper: { ...hyper, dropout: 0.5 } });
  expect(await trainer.evaluate([textBatch(2, 0)])).toEqual(await trainer.evaluate([textBatch(2, 0)]));
});

test('padding on the right changes neither loss nor gradients', () => {
  const short = rowsOf(textBatch(2, 0), 0, 2);
  const wide: TokenBatch = {
    rows: 2,
    columns: 32,
    ids: short.ids.map((id, i) => (i % 32 < 20 ? id : 9)),
    targets: short.targets,
    mask: Uint8Array.from({ length: 64 }, (_, i) => (i % 32 < 20 ? 1 : 0)),
  };
  const cut = (values: Int32Array) => Int32Array.from([...values.subarray(0, 20), ...values.subarray(32, 52)]);
  const narrow: TokenBatch = { rows: 2, columns: 20, ids: cut(short.ids), targets: cut(short.targets) };
  const [padded, unpadded] = [wide, narrow].map((batch) => {
    using trainer = createTrainer(options);
    return trainer.update([batch]);
  });
  expect(padded?.scored).toBe(unpadded?.scored);
  expect(padded?.loss).toBeCloseTo(unpadded?.loss ?? 0, 5);
  expect(padded?.gradNorm).toBeCloseTo(unpadded?.gradNorm ?? 0, 5);
});

test('frozen weights stay as they are, and have no moments', () => {
  const deep = gptConfig({ ...shape, nLayer: 2 }, { bias: false });
  using trainer = createTrainer({ ...options, config: deep, trainable: inLastLayers(deep, 1) });
  trainer.update([textBatch(2, 0)]);
  const { weights, optimizer } = trainer.state();
  const fresh = initWeights(deep, 7);
  const changed = [...weights].filter(([name, { data }]) =>
    data.some((value, i) => value !== fresh.get(name)?.data[i]),
  );
  expect(changed.map(([name]) => name)).toEqual([...fresh.keys()].filter((name) => /^(h\.1|ln_f)\./.test(name)));
  expect(optimizer.size).toBe(2 * changed.length);
});

const classifier = asClassifier(config, ['low', 'high']);
const labelled = (offset: number): LabelledBatch => ({
  rows: 4,
  columns: 32,
  ids: Int32Array.from({ length: 128 }, (_, i) =>
    i % 32 < 10 ? (floor(i / 32) % 2 ? 40 : 5) + ((i + offset) % 20) : 0,
  ),
  lengths: Int32Array.of(10, 10, 9, 10),
  labels: Int32Array.of(0, 1, 0, 1),
});

test('a classifier learns on a base model that has no head', async () => {
  using trainer = createTrainer({
    ...options,
    config: classifier,
    objective: 'classify',
    start: initWeights(config, 1),
  });
  for (let step = 0; step < 20; step++) trainer.update([labelled(step)]);
  expect(await trainer.evaluate([labelled(3)])).toMatchObject({ scored: 4, accuracy: 1 });
});

test('what does not fit together is refused in plain words', () => {
  using trainer = createTrainer(options);
  expect(() => createTrainer({ ...options, objective: 'classify' })).toThrow('"classify" without class labels');
  expect(() => createTrainer({ ...options, trainable: () => false })).toThrow('no weight is trainable');
  expect(() => createTrainer({ ...options, start: new Map() })).toThrow('no tensor named "wte.weight"');
  expect(() => trainer.update([])).toThrow('at least one micro-batch');
  expect(() => trainer.update([labelled(0)])).toThrow('got a batch with labels');
  expect(() => trainer.update([{ ...textBatch(2, 0), rows: 3 }])).toThrow('ids has 64 values, not 96');
  expect(() => trainer.update([{ ...textBatch(1, 0), ids: new Int32Array(32).fill(65) }])).toThrow('token id 65');
  expect(() =>
    trainer.update([{ rows: 1, columns: 33, ids: new Int32Array(33), targets: new Int32Array(33) }]),
  ).toThrow("33 tokens, but the model's context is 32");
});

test('a trainer leaves nothing behind', async () => {
  const before = engine.memory();
  const trainer = createTrainer(options);
  trainer.update([textBatch(2, 0)]);
  trainer.update([textBatch(2, 0), textBatch(2, 1)]);
  await trainer.evaluate([textBatch(2, 0)]);
  trainer.state();
  trainer.dispose();
  expect(engine.memory()).toEqual(before);
});
