// A model that is only read: losses, log-likelihoods of texts, classes, next-token logits. The evaluator and the inference
// service ask the same functions, so what is served scores as what was evaluated.
import { setImmediate as giveWay } from 'node:timers/promises';
import { jit } from '#lib/tensor/jit.ts';
import { tf } from '#lib/tensor/tfjs.ts';
import { type Batch, checkIds } from './batches.ts';
import { type Group, groupByLength, roomFor } from './batching.ts';
import type { ModelConfig } from './config.ts';
import {
  type Continuation,
  type LogLikelihood,
  layOut,
  type Scored,
  summarise,
  toRectangle,
  toScored,
} from './continuations.ts';
import { classLogits, forward, tokenLogits } from './forward.ts';
import { isLargest, logProbabilities } from './losses.ts';
import { createMeter, type EvaluationMetrics } from './meter.ts';
import type { Params } from './param-spec.ts';
import { checkWeights, toParams } from './params.ts';
import type { Weights } from './weights.ts';

export interface Scorer extends Disposable {
  readonly config: ModelConfig;
  /** Mean loss and accuracy over batches. */
  measure(batches: AsyncIterable<Batch> | Iterable<Batch>): Promise<EvaluationMetrics>;
  /** Of each continuation after its context. What is longer than the model's context loses its beginning. */
  logLikelihoods(pairs: readonly Continuation[]): Promise<LogLikelihood[]>;
  /** Probabilities of the classes for each row of ids; what is longer than the model's context loses its end. */
  classify(rows: readonly Int32Array[]): Promise<Float32Array[]>;
  /** Logits over the vocabulary after the last id. */
  nextLogits(ids: Int32Array): Float32Array;
  dispose(): void;
}

/** Tokens of one program call. */
const budget = 2048;

/** Needs an open engine. Throws RangeError where weights and configuration do not fit. */
export function createScorer({ config, weights }: { config: ModelConfig; weights: Weights }): Scorer {
  checkWeights(config, weights);
  const params = toParams(weights);
  const meter = createMeter(config);
  const limit = config.contextSize;
  const tokenScores = jit((from: Params, ids: tf.Tensor2D, places: tf.Tensor1D, targets: tf.Tensor1D): tf.Tensor => {
    const states = tf.gather(forward(config, from, ids), places); // [B*T, C] -> [B*K, C]
    const logits = tokenLogits(config, from, states); // [B*K, V]
    return tf.stack([logProbabilities(logits, targets), isLargest(logits, targets)]); // [2, B*K]
  });
  const probabilities = jit(
    (from: Params, ids: tf.Tensor2D, lengths: tf.Tensor1D): tf.Tensor =>
      classLogits(from, forward(config, from, ids), lengths).softmax(),
  );
  const logitsAt = jit(
    (from: Params, ids: tf.Tensor2D, place: tf.Tensor1D): tf.Tensor =>
      tokenLogits(config, from, tf.gather(forward(config, from, ids), place)),
  );

  const scoreGroup = (inputs: readonly Scored[], { columns }: Group): LogLikelihood[] => {
    const room = roomFor(Math.max(...inputs.map(({ count }) => count)), columns);
    const { ids, places, targets } = layOut(inputs, { columns, room });
    const scores = tf.tidy(() => {
      const sheet = tf.tensor2d(ids, [inputs.length, columns], 'int32');
      return tokenScores(
        params,
        sheet,
        tf.tensor1d(places, 'int32'),
        tf.tensor1d(targets, 'int32'),
      ).dataSync<'float32'>();
    });
    return inputs.map(({ count }, row) => summarise(scores, { start: row * room, count, size: inputs.length * room }));
  };
  const classifyGroup = (rows: readonly Int32Array[], { columns }: Group): Float32Array[] => {
    const values = tf.tidy(() => {
      const lengths = tf.tensor1d(
        rows.map(({ length }) => length),
        'int32',
      );
      const sheet = tf.tensor2d(toRectangle(rows, columns), [rows.length, columns], 'int32');
      return probabilities(params, sheet, lengths).dataSync<'float32'>();
    });
    const classes = values.length / rows.length;
    return rows.map((_, row) => values.slice(row * classes, (row + 1) * classes));
  };
  const dispose = () => {
    tf.dispose(params);
    for (const program of [meter, tokenScores, probabilities, logitsAt]) program.dispose();
  };

  return {
    config,
    measure: (batches) => meter.measure(params, batches),
    logLikelihoods: async (pairs) => {
      const inputs = pairs.map((pair) => toScored(pair, config));
      return inGroups(inputs, { lengthOf: ({ ids }) => ids.length, limit, run: scoreGroup });
    },
    classify: async (rows) => {
      if (!config.labels) throw new RangeError('classify: this model has no classes (no `score.weight`)');
      const inputs = rows.map((ids) => checkRow(ids, config).subarray(0, limit));
      return inGroups(inputs, { lengthOf: (ids) => ids.length, limit, run: classifyGroup });
    },
    nextLogits: (all) => {
      const ids = checkRow(all, config).subarray(-limit);
      const [{ columns } = { columns: limit }] = groupByLength([ids.length], { budget, limit });
      return tf.tidy(() => {
        const sheet = tf.tensor2d(toRectangle([ids], columns), [1, columns], 'int32');
        return logitsAt(params, sheet, tf.tensor1d([ids.length - 1], 'int32')).dataSync<'float32'>();
      });
    },
    dispose,
    [Symbol.dispose]: dispose,
  };
}

interface Grouped<T, R> {
  readonly lengthOf: (input: T) => number;
  readonly limit: number;
  readonly run: (inputs: readonly T[], group: Group) => readonly R[];
}

/** Runs inputs of like length together; answers come in the order of the inputs. */
async function inGroups<T, R>(inputs: readonly T[], { lengthOf, limit, run }: Grouped<T, R>): Promise<R[]> {
  const answers = new Array<R>(inputs.length);
  for (const group of groupByLength(inputs.map(lengthOf), { budget, limit })) {
    const results = run(
      group.members.map((index) => inputs[index] as T),
      group,
    );
    for (const [i, index] of group.members.entries()) answers[index] = results[i] as R;
    await giveWay(); // the program held the thread
  }
  return answers;
}

function checkRow(ids: Int32Array, { vocabSize }: ModelConfig): Int32Array {
  if (ids.length === 0) throw new RangeError('a sequence needs at least one token');
  return checkIds(ids, vocabSize);
}
