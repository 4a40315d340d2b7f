// GGML's tensor types: how many elements a block has, how many bytes it takes, and how the ones we read become float32.
// Block layouts: ggml-common.h of ggml. The products below are exact in float32, so the order of rounding cannot differ.

import { halfToFloat, numberTypes } from './numbers.ts';

interface GgmlType {
  readonly name: string;
  readonly blockSize: number;
  readonly blockBytes: number;
  readonly toFloats: (raw: Uint8Array) => Float32Array;
}

const plain = (name: 'F32' | 'F16' | 'BF16' | 'F64' | 'I8' | 'I16' | 'I32' | 'I64'): GgmlType => ({
  name,
  blockSize: 1,
  blockBytes: numberTypes[name].bytes,
  toFloats: numberTypes[name].toFloats,
});

/** All quantised types read here have blocks of 32. `fill` writes one block's floats at `out`. */
const blocked = (
  name: string,
  blockBytes: number,
  fill: (raw: Uint8Array, at: number, floats: Float32Array, out: number) => void,
): GgmlType => ({
  name,
  blockSize: 32,
  blockBytes,
  toFloats(raw) {
    const floats = new Float32Array((raw.length / blockBytes) * 32);
    for (let at = 0, out = 0; at < raw.length; at += blockBytes, out += 32) fill(raw, at, floats, out);
    return floats;
  },
});

const halfAt = (raw: Uint8Array, at: number): number =>
  halfToFloat((raw[at] as number) | ((raw[at + 1] as number) << 8));

/** scale (f16), 16 bytes of two 4-bit values: the low halves are elements 0-15, the high halves 16-31. */
const q4_0 = blocked('Q4_0', 18, (raw, at, floats, out) => {
  const scale = halfAt(raw, at);
  for (let i = 0; i < 16; i++) {
    const pair = raw[at + 2 + i] as number;
    floats[out + i] = scale * ((pair & 15) - 8);
    floats[out + 16 + i] = scale * ((pair >> 4) - 8);
  }
});

/** scale (f16), minimum (f16), then as Q4_0 without the shift by 8. */
const q4_1 = blocked('Q4_1', 20, (raw, at, floats, out) => {
  const scale = halfAt(raw, at);
  const minimum = halfAt(raw, at + 2);
  for (let i = 0; i < 16; i++) {
    const pair = raw[at + 4 + i] as number;
    floats[out + i] = scale * (pair & 15) + minimum;
    floats[out + 16 + i] = scale * (pair >> 4) + minimum;
  }
});

/** scale (f16), 32 signed bytes. */
const q8_0 = blocked('Q8_0', 34, (raw, at, floats, out) => {
  const scale = halfAt(raw, at);
  for (let i = 0; i < 32; i++) floats[out + i] = scale * (((raw[at + 2 + i] as number) << 24) >> 24);
});

const readable: ReadonlyMap<number, GgmlType> = new Map([
  [0, plain('F32')],
  [1, plain('F16')],
  [2, q4_0],
  [3, q4_1],
  [8, q8_0],
  [24, plain('I8')],
  [25, plain('I16')],
  [26, plain('I32')],
  [27, plain('I64')],
  [28, plain('F64')],
  [30, plain('BF16')],
]);

/** Types that are known and not read, so that an error can name them. */
const otherNames: Readonly<Record<number, string>> = {
  6: 'Q5_0',
  7: 'Q5_1',
  9: 'Q8_1',
  10: 'Q2_K',
  11: 'Q3_K',
  12: 'Q4_K',
  13: 'Q5_K',
  14: 'Q6_K',
  15: 'Q8_K',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  20: 'IQ4_NL',
  21: 'IQ3_S',
  22: 'IQ2_S',
  23: 'IQ4_XS',
  29: 'IQ1_M',
  34: 'TQ1_0',
  35: 'TQ2_0',
  39: 'MXFP4',
};

export const ggmlType = (number: number): GgmlType | undefined => readable.get(number);
export const ggmlTypeName = (number: number): string => otherNames[number] ?? `type ${number}`;
export const readableGgmlTypes = (): string => [...readable.values()].map((type) => type.name).join(', ');
