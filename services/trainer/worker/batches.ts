// Batches as they come from the data sampler, as lib/model wants them.
import type { StreamBatchesResponse } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { fromInt32Bytes } from '#lib/contracts/int32.ts';
import type { Batch } from '#lib/model/batches.ts';

/** A batch, and how many real tokens it holds. */
export interface CountedBatch {
  batch: Batch;
  tokens: number;
}

export interface BatchShape {
  rows: number;
  /** Labelled rows are judged as wholes. */
  labelled: boolean;
  /** Cut columns that are padding in every row (labelled, instructions): to the whole, half or a quarter of a row, so that few shapes are compiled. */
  trim: boolean;
}

/** Batches smaller than `rows` (the end of a pass) are filled with rows that carry no loss: one shape, one compiled program. */
export const toBatch = (response: StreamBatchesResponse, { rows, labelled, trim }: BatchShape): CountedBatch => {
  const { rows: given, blockSize } = response;
  const lengths = response.lengths.length ? fromInt32Bytes(response.lengths) : new Int32Array(given).fill(blockSize);
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const columns = trim ? columnsFor(Math.max(1, ...lengths), blockSize) : blockSize;
  const cut = <T extends Int32Array | Uint8Array>(from: T, into: T): T =>
    copyColumns(from, into, { given, blockSize, columns });
  const ids = cut(fromInt32Bytes(response.inputIds), new Int32Array(rows * columns));
  if (labelled) {
    const labels = fillUp(fromInt32Bytes(response.labels), rows, -1);
    return { batch: { rows, columns, ids, lengths: fillUp(lengths, rows, 1), labels }, tokens };
  }
  const targets = cut(fromInt32Bytes(response.targetIds), new Int32Array(rows * columns));
  const everywhere = response.lossMask.length === 0;
  if (everywhere && given === rows) return { batch: { rows, columns, ids, targets }, tokens };
  const loss = everywhere ? new Uint8Array(given * blockSize).fill(1) : response.lossMask;
  return { batch: { rows, columns, ids, targets, mask: cut(loss, new Uint8Array(rows * columns)) }, tokens };
};

/** The first `columns` of every given row; rows that were not given stay 0. */
const copyColumns = <T extends Int32Array | Uint8Array>(
  from: T,
  into: T,
  { given, blockSize, columns }: { given: number; blockSize: number; columns: number },
): T => {
  for (let row = 0; row < given; row += 1) {
    into.set(from.subarray(row * blockSize, row * blockSize + columns), row * columns);
  }
  return into;
};

const fillUp = (values: Int32Array, rows: number, filler: number): Int32Array =>
  Int32Array.from({ length: rows }, (_, row) => values[row] ?? filler);

const columnsFor = (longest: number, blockSize: number): number =>
  [Math.ceil(blockSize / 4), Math.ceil(blockSize / 2)].find((columns) => longest <= columns) ?? blockSize;
