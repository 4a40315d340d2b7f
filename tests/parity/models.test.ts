// T11 and T12: logits, losses and gradients of whole models against Hugging Face's on the same random weights.
import { beforeAll, describe, expect, test } from '@jest/globals';
import { type BatchTensors, toSheet, toTensors } from '#lib/model/batches.ts';
import type { ModelConfig } from '#lib/model/config.ts';
import { parseConfig } from '#lib/model/config-json.ts';
import { withReader } from '#lib/model/formats/byte-source.ts';
import { readSafetensors, readSafetensorsHeader } from '#lib/model/formats/safetensors.ts';
import { forward, headLogits } from '#lib/model/forward.ts';
import { checkWeights, toParams } from '#lib/model/params.ts';
import { createScorer } from '#lib/model/scorer.ts';
import { createTrainStep } from '#lib/model/train-step.ts';
import type { Weights } from '#lib/model/weights.ts';
import { openEngine } from '#lib/tensor/engine.ts';
import { jit } from '#lib/tensor/jit.ts';
import { libraryDir } from '../support/library-dir.ts';
import { goldenPath, largestDifference, relativeDifference } from './golden.ts';

const { tf } = openEngine({ libraryDir });

interface GoldenModel {
  readonly config: ModelConfig;
  readonly weights: Weights;
  readonly gradients: Weights;
  readonly logits: Float32Array;
  readonly loss: number;
  readonly batch: Parameters<typeof toSheet>[0];
}

async function loadGolden(name: string): Promise<GoldenModel> {
  const file = goldenPath(`models/${name}.safetensors`);
  const { metadata } = await withReader(file, readSafetensorsHeader);
  const all = await readSafetensors(file);
  const starting = (prefix: string): Weights =>
    new Map([...all].flatMap(([key, tensor]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), tensor]] : [])));
  const values = (key: string) => all.get(key)?.data ?? new Float32Array();
  const integers = (key: string) => Int32Array.from(values(key));
  const [rows = 0, columns = 0] = all.get('ids')?.shape ?? [];
  const sheet = { rows, columns, ids: integers('ids') };
  const batch = all.has('labels')
    ? { ...sheet, labels: integers('labels'), lengths: integers('lengths') }
    : { ...sheet, targets: integers('targets') };
  return {
    config: parseConfig(metadata.config ?? ''),
    weights: starting('weights.'),
    gradients: starting('gradients.'),
    logits: values('logits'),
    loss: values('loss')[0] ?? Number.NaN,
    batch,
  };
}

describe.each(['gpt2', 'gpt2-classifier', 'llama', 'llama-classifier'])('%s', (name) => {
  let golden: GoldenModel;
  let batch: BatchTensors;
  beforeAll(async () => {
    golden = await loadGolden(name);
    batch = toTensors(toSheet(golden.batch, golden.config));
  });

  test('has exactly the tensors of Hugging Face, under their names and shapes', () => {
    expect(() => checkWeights(golden.config, golden.weights)).not.toThrow();
  });

  test.each(['eager', 'graph', 'xla'] as const)('logits are within 1e-4 (%s)', (how) => {
    const { config, weights, logits } = golden;
    const run = (params: ReturnType<typeof toParams>, { ids, lengths }: BatchTensors) =>
      headLogits(config, params, forward(config, params, ids), lengths);
    const program = how === 'eager' ? run : jit(run, { lowering: how });
    expect(largestDifference(program(toParams(weights), batch).dataSync(), logits)).toBeLessThan(1e-4);
  });

  test('loss and the gradients of all weights are within 1e-3', () => {
    const { config, weights, loss, gradients } = golden;
    const adam = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 };
    const step = createTrainStep({ config, dropout: 0, adam, gradClip: 0 });
    const sums = step.gradients(toParams(weights), {}, batch, tf.tensor1d([0, 0], 'int32'));
    expect(sums.loss.dataSync<'float32'>()[0]).toBeCloseTo(loss, 3);
    expect(Object.keys(sums.grads).sort()).toEqual([...gradients.keys()].sort());
    for (const [key, { data, shape }] of gradients) {
      expect(sums.grads[key]?.shape).toEqual(shape);
      expect(relativeDifference(sums.grads[key]?.dataSync() ?? [], data)).toBeLessThan(1e-3);
    }
    step.dispose();
  });

  test('the scorer measures the same loss', async () => {
    const { config, weights, loss, batch: sheet } = golden;
    using scorer = createScorer({ config, weights });
    const measured = await scorer.measure([sheet]);
    expect(measured.loss * measured.scored).toBeCloseTo(loss, 3);
  });
});
