// What a model is trained and evaluated on: rectangles of token ids, padded on the right. A causal model needs no mask
// against padding that comes after the text: it only must not be scored.

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
