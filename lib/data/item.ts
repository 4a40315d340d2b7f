// What parsing makes of a raw file: documents, rows, and what could not be read.
import type { DataKind } from './columns.ts';
import type { DropReason } from './data-error.ts';

export type Item =
  | { kind: 'document'; line: number; text: string }
  | { kind: 'row'; line: number; fields: Readonly<Record<string, unknown>> }
  | { kind: 'dropped'; line: number; reason: DropReason };

export interface ParseOptions {
  kind: DataKind;
  /** Text: what separates documents; empty: the file is one document. */
  separator: string;
  /** Role -> the column's name in the file, where it is no usual one. */
  columns: Readonly<Record<string, string>>;
  /** Hears of every chunk that was read. */
  onBytes?: ((count: number) => void) | undefined;
}

const mebibyte = 1024 * 1024;
/** JavaScript's strings end at half a gigabyte of characters. */
export const longestDocument = 256 * mebibyte;
export const longestRow = 64 * mebibyte;
