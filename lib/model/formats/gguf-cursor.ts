// Reads the scalar and composite values of a GGUF header one after another from the bytes at the start of the file.

import { ModelFormatError } from './byte-source.ts';

/** Wide integers that do not fit a number stay bigint. */
export type GgufValue = number | bigint | boolean | string | readonly GgufValue[];

/** The header goes on beyond the bytes at hand: read more of the file and start again. */
export class NeedMoreBytes extends Error {}

export interface GgufCursor {
  readonly position: number;
  u32(): number;
  /** A 64-bit dimension or offset; throws ModelFormatError where it is no safe integer. */
  u64(): number;
  /** A 64-bit count of things that follow. */
  count(): number;
  string(): string;
  value(): GgufValue;
}

const widen = (value: bigint): number | bigint => {
  const narrow = Number(value);
  return Number.isSafeInteger(narrow) ? narrow : value;
};

type Reader = (view: DataView, offset: number) => GgufValue;

/** By type number; 8 is a string and 9 an array, which are composite. */
const scalars: Readonly<Record<number, readonly [bytes: number, read: Reader]>> = {
  0: [1, (view, at) => view.getUint8(at)],
  1: [1, (view, at) => view.getInt8(at)],
  2: [2, (view, at) => view.getUint16(at, true)],
  3: [2, (view, at) => view.getInt16(at, true)],
  4: [4, (view, at) => view.getUint32(at, true)],
  5: [4, (view, at) => view.getInt32(at, true)],
  6: [4, (view, at) => view.getFloat32(at, true)],
  7: [1, (view, at) => view.getUint8(at) !== 0],
  10: [8, (view, at) => widen(view.getBigUint64(at, true))],
  11: [8, (view, at) => widen(view.getBigInt64(at, true))],
  12: [8, (view, at) => view.getFloat64(at, true)],
};
const STRING = 8;
const ARRAY = 9;

/** Arrays in arrays: no writer makes more, and a hostile file must not exhaust the stack. */
const deepestArray = 4;

/** `fileSize` bounds every count: no count can ask for more than the file could hold. */
export function createGgufCursor(bytes: Uint8Array, fileSize: number): GgufCursor {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let position = 0;

  const take = (length: number): number => {
    const at = position;
    if (at + length > fileSize)
      throw new ModelFormatError(`gguf: the file ends inside its header (at byte ${fileSize})`);
    if (at + length > bytes.length) throw new NeedMoreBytes();
    position += length;
    return at;
  };
  const scalar = (type: number): GgufValue => {
    const entry = scalars[type];
    if (!entry) throw new ModelFormatError(`gguf: unknown value type ${type} before byte ${position}`);
    return entry[1](view, take(entry[0]));
  };
  const u64 = (): number => {
    const value = scalar(10);
    if (typeof value === 'number') return value;
    throw new ModelFormatError(`gguf: a size of ${value} before byte ${position}`);
  };
  const count = (): number => {
    const value = u64();
    if (value <= fileSize) return value;
    throw new ModelFormatError(`gguf: a count of ${value} before byte ${position}, in a file of ${fileSize} bytes`);
  };
  const string = (): string => {
    const length = count();
    const at = take(length);
    return decoder.decode(bytes.subarray(at, at + length));
  };
  const array = (depth: number): GgufValue[] => {
    if (depth > deepestArray) throw new ModelFormatError(`gguf: arrays nested more than ${deepestArray} deep`);
    const type = scalar(4) as number;
    const values: GgufValue[] = [];
    for (let left = count(); left > 0; left--) values.push(value(type, depth));
    return values;
  };
  const value = (type: number, depth = 0): GgufValue => {
    if (type === STRING) return string();
    if (type === ARRAY) return array(depth + 1);
    return scalar(type);
  };

  return {
    get position() {
      return position;
    },
    u32: () => scalar(4) as number,
    u64,
    count,
    string,
    value: () => value(scalar(4) as number),
  };
}
