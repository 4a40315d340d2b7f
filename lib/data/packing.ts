// Samples -> batches: rectangles of token ids [rows, blockSize], padded on the right with id 0.
import type { ShardReader } from './shard-reader.ts';

export interface TokenSheet {
  rows: number;
  /** [rows, blockSize] */
  inputs: Int32Array<ArrayBuffer>;
  /** [rows, blockSize]: the token after each position. */
  targets: Int32Array<ArrayBuffer>;
  /** [rows, blockSize]: 1 where the target carries loss. Absent: everywhere. */
  mask?: Uint8Array<ArrayBuffer>;
  /** [rows]: positions that are no padding. */
  lengths: Int32Array<ArrayBuffer>;
}

export interface LabelledSheet {
  rows: number;
  /** [rows, blockSize] */
  inputs: Int32Array<ArrayBuffer>;
  /** [rows] */
  labels: Int32Array<ArrayBuffer>;
  /** [rows] */
  lengths: Int32Array<ArrayBuffer>;
}

/** One sample: where it lies, and in which of the mixture's readers. */
export interface Place {
  reader: ShardReader;
  /** First token (text) or row number (rows). */
  position: number;
}

/** Windows of text: blockSize tokens and the one after each. A window that the text's end cuts short is padded and masked. */
export function packWindows(places: readonly Place[], blockSize: number): TokenSheet {
  const sheet = emptySheet(places.length, blockSize);
  places.forEach(({ reader, position }, row) => {
    const length = Math.min(blockSize, reader.tokenCount - 1 - position);
    const tokens = new Int32Array(length + 1);
    reader.read(position, tokens);
    setRow(sheet, { row, blockSize, tokens });
    if (length < blockSize) {
      sheet.mask ??= new Uint8Array(places.length * blockSize).fill(1);
      sheet.mask.fill(0, row * blockSize + length, (row + 1) * blockSize);
    }
  });
  return sheet;
}

/** Instruction rows: a target carries loss where the assistant wrote it. What does not fit into the block is cut. */
export function packInstructions(places: readonly Place[], blockSize: number): TokenSheet {
  const sheet = emptySheet(places.length, blockSize);
  const mask = new Uint8Array(places.length * blockSize);
  places.forEach(({ reader, position }, row) => {
    const { start, length } = reader.row(position);
    const tokens = new Int32Array(Math.min(length, blockSize + 1));
    const carriesLoss = new Uint8Array(tokens.length);
    reader.read(start, tokens);
    reader.readMask(position, carriesLoss);
    setRow(sheet, { row, blockSize, tokens });
    mask.set(carriesLoss.subarray(1), row * blockSize);
  });
  return { ...sheet, mask };
}

/** Labelled rows. What does not fit into the block is cut. */
export function packLabelled(places: readonly Place[], blockSize: number): LabelledSheet {
  const rows = places.length;
  const inputs = new Int32Array(rows * blockSize);
  const labels = new Int32Array(rows);
  const lengths = new Int32Array(rows);
  places.forEach(({ reader, position }, row) => {
    const { start, length, label } = reader.row(position);
    const used = Math.min(length, blockSize);
    reader.read(start, inputs.subarray(row * blockSize, row * blockSize + used));
    labels[row] = label;
    lengths[row] = used;
  });
  return { rows, inputs, labels, lengths };
}

const emptySheet = (rows: number, blockSize: number): TokenSheet => ({
  rows,
  inputs: new Int32Array(rows * blockSize),
  targets: new Int32Array(rows * blockSize),
  lengths: new Int32Array(rows),
});

function setRow(
  { inputs, targets, lengths }: TokenSheet,
  { row, blockSize, tokens }: { row: number; blockSize: number; tokens: Int32Array },
): void {
  inputs.set(tokens.subarray(0, -1), row * blockSize);
  targets.set(tokens.subarray(1), row * blockSize);
  lengths[row] = tokens.length - 1;
}
