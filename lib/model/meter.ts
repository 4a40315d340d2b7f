// Mean loss and accuracy over batches, as the trainer's evaluations and the evaluator measure them.
import { setImmediate as giveWay } from 'node:timers/promises';
import { jit } from '#lib/tensor/jit.ts';
import { tf } from '#lib/tensor/tfjs.ts';
import { type Batch, type BatchTensors, toSheet, toTensors } from './batches.ts';
import type { ModelConfig } from './config.ts';
import { forward, headLogits } from './forward.ts';
import { crossEntropySum, isLargest, isScored } from './losses.ts';
import type { Params } from './param-spec.ts';

export interface EvaluationMetrics {
  /** Mean over everything that carried loss; NaN where nothing did. */
  readonly loss: number;
  /** Tokens (or labelled rows) that carried loss. */
  readonly scored: number;
  /** Share of them whose most probable answer is the right one. */
  readonly accuracy: number;
}

export interface Meter {
  /** Over all batches together; gives way to the event loop between them. */
  measure(params: Params, batches: AsyncIterable<Batch> | Iterable<Batch>): Promise<EvaluationMetrics>;
  dispose(): void;
}

export function createMeter(config: ModelConfig): Meter {
  const sums = jit((params: Params, batch: BatchTensors): tf.Tensor => {
    const logits = headLogits(config, params, forward(config, params, batch.ids), batch.lengths);
    const targets = batch.targets.flatten();
    return tf.stack([crossEntropySum(logits, targets), isScored(targets).sum(), isLargest(logits, targets).sum()]);
  });
  const sumsOf = (params: Params, batch: Batch, rows: number) =>
    tf.tidy(() => sums(params, toTensors(toSheet(batch, { vocabSize: config.vocabSize, rows }))).dataSync<'float32'>());

  return {
    async measure(params, batches) {
      const total = { loss: 0, scored: 0, correct: 0 };
      let rows = 0;
      for await (const batch of batches) {
        rows = Math.max(rows, batch.rows); // a short last batch runs the same program
        const [loss = 0, scored = 0, correct = 0] = sumsOf(params, batch, rows);
        total.loss += loss;
        total.scored += scored;
        total.correct += correct;
        await giveWay(); // the program held the thread
      }
      return { loss: total.loss / total.scored, scored: total.scored, accuracy: total.correct / total.scored };
    },
    dispose: () => sums.dispose(),
  };
}
