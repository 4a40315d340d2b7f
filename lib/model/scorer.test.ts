import { expect, test } from '@jest/globals';
import { openEngine } from '#lib/tensor/engine.ts';
import { libraryDir } from '../../tests/support/library-dir.ts';
import { bucketOf, toSheet } from './batches.ts';
import { groupByLength, roomFor } from './batching.ts';
import { asClassifier, gptConfig } from './config.ts';
import { initWeights } from './params.ts';
import { createScorer } from './scorer.ts';

const engine = openEngine({ libraryDir });
const { abs, exp, log } = Math;
const config = gptConfig({ vocabSize: 65, contextSize: 40, nLayer: 1, nHead: 2, nEmbd: 16 });
const weights = initWeights({ ...config, initStd: 0.5 }, 3);
const ids = (length: number, from = 0) => Int32Array.from({ length }, (_, i) => (from + i * 17) % 65);

const logSoftmax = (logits: Float32Array, token: number): number => {
  const most = logits.reduce((a, b) => Math.max(a, b));
  return (logits[token] ?? Number.NaN) - most - log(logits.reduce((sum, logit) => sum + exp(logit - most), 0));
};

test('a log-likelihood is the sum of the log-probabilities of next tokens, however many are asked together', async () => {
  using scorer = createScorer({ config, weights });
  const pairs = [3, 30, 3, 7, 35, 4].map((length, i) => ({
    context: ids(length, i),
    continuation: ids(1 + i, i + 30),
  }));
  const together = await scorer.logLikelihoods(pairs);
  for (const [i, { context, continuation }] of pairs.entries()) {
    let [sum, greedy] = [0, true];
    const read = [...context];
    for (const token of continuation) {
      const logits = scorer.nextLogits(Int32Array.from(read));
      sum += logSoftmax(logits, token);
      greedy &&= logits.indexOf(logits.reduce((a, b) => Math.max(a, b))) === token;
      read.push(token);
    }
    expect(abs((together[i]?.logLikelihood ?? 0) - sum)).toBeLessThan(1e-4);
    expect(together[i]).toMatchObject({ tokens: continuation.length, isGreedy: greedy });
  }
});

test('the most probable continuation is greedy', async () => {
  using scorer = createScorer({ config, weights });
  const context = ids(5);
  const logits = scorer.nextLogits(context);
  const best = logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));
  const [likely, unlikely] = await scorer.logLikelihoods(
    [best, (best + 1) % 65].map((token) => ({ context, continuation: Int32Array.of(token) })),
  );
  expect([likely?.isGreedy, unlikely?.isGreedy]).toEqual([true, false]);
});

test("what is longer than the model's context loses its beginning", async () => {
  using scorer = createScorer({ config, weights });
  const long = ids(100);
  expect(scorer.nextLogits(long)).toEqual(scorer.nextLogits(long.subarray(-40)));
  const continuation = ids(2, 9);
  const [cut] = await scorer.logLikelihoods([{ context: long, continuation }]);
  const [short] = await scorer.logLikelihoods([{ context: long.subarray(-39), continuation }]);
  expect(cut?.logLikelihood).toBeCloseTo(short?.logLikelihood ?? 0, 4);
});

test('a row is classified the same alone and among others, and its probabilities sum to 1', async () => {
  const labelled = asClassifier(config, ['a', 'b', 'c']);
  using scorer = createScorer({ config: labelled, weights: initWeights({ ...labelled, initStd: 0.5 }, 3) });
  const rows = [3, 39, 3, 3, 3, 10].map((length, i) => ids(length, i));
  const together = await scorer.classify(rows);
  for (const [i, row] of rows.entries()) {
    const [alone] = await scorer.classify([row]);
    for (const [label, share] of (alone ?? []).entries()) expect(together[i]?.[label]).toBeCloseTo(share, 5);
    expect(together[i]?.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
  }
});

test('what cannot be scored is refused in plain words', async () => {
  using scorer = createScorer({ config, weights });
  expect(() => scorer.nextLogits(new Int32Array())).toThrow('at least one token');
  expect(() => scorer.nextLogits(Int32Array.of(65))).toThrow('token id 65 is not in the vocabulary of 65');
  await expect(scorer.logLikelihoods([{ context: new Int32Array(), continuation: ids(1) }])).rejects.toThrow(
    'at least one token',
  );
  await expect(scorer.classify([ids(3)])).rejects.toThrow('no classes');
  expect(() => createScorer({ config: { ...config, nLayer: 2 }, weights })).toThrow(
    'no tensor named "h.1.ln_1.weight"',
  );
  expect(() => createScorer({ config: { ...config, bias: false }, weights })).toThrow('no such tensor');
});

test('a scorer leaves nothing behind', async () => {
  const before = engine.memory();
  const scorer = createScorer({ config, weights });
  scorer.nextLogits(ids(3));
  await scorer.logLikelihoods([{ context: ids(3), continuation: ids(2) }]);
  scorer.dispose();
  expect(engine.memory()).toEqual(before);
});

test('widths are few, and never beyond the limit', () => {
  const widths = [1, 32, 33, 100, 129, 193, 300, 500, 700, 1000].map((length) => bucketOf(length, 1024));
  expect(widths).toEqual([32, 32, 64, 128, 192, 256, 384, 512, 768, 1024]);
  expect(bucketOf(45, 50)).toBe(50);
});

test('groups hold every sequence once, in powers of four of one width', () => {
  const lengths = Array.from({ length: 23 }, (_, i) => 1 + ((i * 37) % 90));
  const groups = groupByLength(lengths, { budget: 256, limit: 96 });
  expect(groups.flatMap(({ members }) => [...members]).sort((a, b) => a - b)).toEqual([...lengths.keys()]);
  for (const { members, columns } of groups) {
    expect([1, 4, 16]).toContain(members.length);
    expect(members.length * columns).toBeLessThanOrEqual(256);
    expect(Math.max(...members.map((i) => lengths[i] ?? 0))).toBeLessThanOrEqual(columns);
  }
  expect([1, 4, 5, 17, 70].map((size) => roomFor(size, 100))).toEqual([4, 4, 16, 64, 100]);
});

test('a sheet keeps what is scored and drops the columns behind it', () => {
  const batch = {
    rows: 1,
    columns: 100,
    ids: ids(100),
    targets: ids(100, 1),
    mask: new Uint8Array(100).fill(1, 3, 40),
  };
  const { rows, columns, targets } = toSheet(batch, { vocabSize: 65, rows: 2 });
  expect([rows, columns]).toEqual([2, 64]);
  expect([...targets.keys()].filter((i) => (targets[i] ?? -1) >= 0)).toEqual(
    Array.from({ length: 37 }, (_, i) => i + 3),
  );
});
