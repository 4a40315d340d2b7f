// What a model is trained and evaluated on: rectangles of token ids, padded on the right. A causal model needs no mask
// against padding that comes after the text: it only must not be scored.
import { tf } from '#lib/tensor/tfjs.ts';

/** Row-major [rows, columns] ids for next-token prediction. */
export interface TokenBatch {
  readonly rows: number;
  readonly columns: number;
  readonly ids: Int32Array;
  /** The token that follows each position. */
  readonly targets: Int32Array;
  /** 1 where the target carries loss; absent: everywhere. */
  readonly mask?: Uint8Array | undefined;
}

/** Row-major [rows, columns] ids, each row with one class. */
export interface LabelledBatch {
  readonly rows: number;
  readonly columns: number;
  readonly ids: Int32Array;
  /** Real tokens in each row, at least 1. */
  readonly lengths: Int32Array;
  /** Class ids; below 0: the row carries no loss. */
  readonly labels: Int32Array;
}

export type Batch = TokenBatch | LabelledBatch;

export const isLabelled = (batch: Batch): batch is LabelledBatch => 'labels' in batch;

/** A batch in the form the programs take: every target that carries no loss is -1. */
export interface Sheet {
  readonly rows: number;
  readonly columns: number;
  readonly ids: Int32Array;
  /** [rows, columns] next tokens, or [rows] classes. */
  readonly targets: Int32Array;
  /** [rows]: only where targets are classes. */
  readonly lengths?: Int32Array;
}

/** A sheet on the engine: ids [B, T]; targets [B, T], or [B] classes that are read at `lengths` [B]. All int32. */
export type BatchTensors = { ids: tf.Tensor2D; targets: tf.Tensor; lengths?: tf.Tensor1D };

/** Copies a sheet to the engine. The caller disposes the tensors. */
export function toTensors({ rows, columns, ids, targets, lengths }: Sheet): BatchTensors {
  const sheet = tf.tensor2d(ids, [rows, columns], 'int32');
  if (!lengths) return { ids: sheet, targets: tf.tensor2d(targets, [rows, columns], 'int32') };
  return { ids: sheet, targets: tf.tensor1d(targets, 'int32'), lengths: tf.tensor1d(lengths, 'int32') };
}

/**
 * Widths that programs are compiled for: 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, …: few enough to compile, close
 * enough to waste little. `limit` is used as it is.
 */
export function bucketOf(length: number, limit: number): number {
  let width = 32;
  while (width < length) width = width < 128 ? width + 32 : nextHalfOctave(width);
  return Math.min(width, limit);
}

const nextHalfOctave = (width: number): number => (Number.isInteger(Math.log2(width)) ? width * 1.5 : (width * 4) / 3);

/**
 * Cuts away columns without anything to score, as far as the bucket allows, and adds unscored rows up to `rows`. The
 * scores stay the same: nothing looks to the right.
 */
export function toSheet(batch: Batch, { vocabSize, rows = batch.rows }: { vocabSize: number; rows?: number }): Sheet {
  checkBatch(batch);
  checkIds(batch.ids, vocabSize);
  const targets = targetsOf(batch);
  const columns = bucketOf(usedColumns(batch, targets), batch.columns);
  const narrow = (values: Int32Array, fill: number) => {
    const cut = new Int32Array(rows * columns).fill(fill);
    for (let row = 0; row < batch.rows; row++) {
      const start = row * batch.columns;
      cut.set(values.subarray(start, start + columns), row * columns);
    }
    return cut;
  };
  const ids = narrow(batch.ids, 0);
  if (!isLabelled(batch)) return { rows, columns, ids, targets: narrow(targets, -1) };
  return { rows, columns, ids, targets: grow(targets, rows, -1), lengths: grow(batch.lengths, rows, 1) };
}

function targetsOf(batch: Batch): Int32Array {
  if (isLabelled(batch)) return batch.labels;
  const { targets, mask } = batch;
  return mask && mask.length > 0 ? targets.map((target, i) => (mask[i] ? target : -1)) : targets;
}

function usedColumns(batch: Batch, targets: Int32Array): number {
  if (isLabelled(batch)) return batch.lengths.reduce((longest, length) => Math.max(longest, length), 1);
  let used = 1;
  for (let i = 0; i < targets.length; i++) {
    if ((targets[i] ?? -1) >= 0) used = Math.max(used, (i % batch.columns) + 1);
  }
  return used;
}

function grow(values: Int32Array, size: number, fill: number): Int32Array {
  const grown = new Int32Array(size).fill(fill);
  grown.set(values);
  return grown;
}

function checkBatch(batch: Batch): void {
  const { rows, columns, ids } = batch;
  const expect = (name: string, actual: number, expected: number) => {
    if (actual !== expected) {
      throw new RangeError(`batch of ${rows} rows, ${columns} columns: ${name} has ${actual} values, not ${expected}`);
    }
  };
  expect('ids', ids.length, rows * columns);
  if (isLabelled(batch)) {
    expect('lengths', batch.lengths.length, rows);
    expect('labels', batch.labels.length, rows);
    return;
  }
  expect('targets', batch.targets.length, rows * columns);
  if (batch.mask && batch.mask.length > 0) expect('mask', batch.mask.length, rows * columns);
}

/** Returns the ids. Throws RangeError for one outside the vocabulary: compiled programs would silently take another. */
export function checkIds(ids: Int32Array, vocabSize: number): Int32Array {
  const wrong = ids.find((id) => id < 0 || id >= vocabSize);
  if (wrong !== undefined) throw new RangeError(`token id ${wrong} is not in the vocabulary of ${vocabSize}`);
  return ids;
}
