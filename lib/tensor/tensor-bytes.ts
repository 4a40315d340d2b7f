// JavaScript values into TF_Tensors and back.
import koffi from 'koffi';
import type { Pointer } from './capi.ts';
import { dtypes, type EngineDType, sizeOfShape } from './dtypes.ts';
import type { Runtime } from './runtime.ts';

export type TensorValues =
  | Float32Array
  | Int32Array
  | Uint8Array
  | BigInt64Array
  | readonly (number | bigint | boolean | string | Uint8Array)[];

/** Values of a tensor as tfjs reads them: complex64 interleaved, int64 as BigInt64Array, strings as their bytes. */
export type ReadValues = Float32Array | Int32Array | Uint8Array | BigInt64Array | Uint8Array[];

const arrays = {
  float32: Float32Array,
  complex64: Float32Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int64: BigInt64Array,
} as const;

const encoder = new TextEncoder();

/** Bytes of `values` in `dtype`, without a copy where they are the typed array for it (or int64 as pairs of int32). */
function toBytes(dtype: Exclude<EngineDType, 'string' | 'resource'>, values: TensorValues, length: number): Uint8Array {
  const wanted = [arrays[dtype].name, ...(dtype === 'int64' && values.length === 2 * length ? ['Int32Array'] : [])];
  if (ArrayBuffer.isView(values) && wanted.includes(values[Symbol.toStringTag])) {
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
  const list = Array.from(values as Iterable<number>);
  const typed = dtype === 'int64' ? BigInt64Array.from(list, BigInt) : arrays[dtype].from(list);
  return new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength);
}

/** A new TF_Tensor with a copy of `values`. The caller deletes it by `deleteTensor`. */
export function createTensor(
  runtime: Runtime,
  dtype: EngineDType,
  shape: readonly number[],
  values: TensorValues,
): Pointer {
  const { c } = runtime;
  const length = sizeOfShape(shape);
  if (dtype === 'resource') throw new TypeError('a resource has no values');
  const bytes = dtype === 'string' ? null : toBytes(dtype, values, length);
  const sizeBytes = length * dtypes[dtype].size;
  if (bytes ? bytes.length !== sizeBytes : values.length !== length) {
    throw new RangeError(`${dtype} [${shape}] holds ${length} values, got ${values.length}`);
  }
  const tensor = c.TF_AllocateTensor(dtypes[dtype].code, BigInt64Array.from(shape, BigInt), shape.length, sizeBytes);
  if (length === 0) return tensor;
  const data = c.TF_TensorData(tensor);
  if (bytes) new Uint8Array(koffi.view(data, sizeBytes)).set(bytes);
  else writeStrings(runtime, data, values as readonly (string | Uint8Array)[]);
  return tensor;
}

const stringAt = (data: Pointer, i: number) => (data ?? 0n) + BigInt(i * dtypes.string.size);

function writeStrings({ c }: Runtime, data: Pointer, values: readonly (string | Uint8Array)[]): void {
  values.forEach((value, i) => {
    const bytes = typeof value === 'string' ? encoder.encode(value) : value;
    c.TF_StringInit(stringAt(data, i));
    c.TF_StringCopy(stringAt(data, i), bytes, bytes.length);
  });
}

/** Strings own memory outside their tensor, which TF_DeleteTensor does not free. */
export function deleteTensor({ c }: Runtime, tensor: Pointer, dtype: EngineDType, length: number): void {
  if (dtype === 'string' && length > 0) {
    const data = c.TF_TensorData(tensor);
    for (let i = 0; i < length; i++) c.TF_StringDealloc(stringAt(data, i));
  }
  c.TF_DeleteTensor(tensor);
}

/** The values of a TF_Tensor, copied. */
export function readTensor({ c }: Runtime, tensor: Pointer, dtype: EngineDType, length: number): ReadValues {
  if (dtype === 'resource') throw new TypeError('a resource has no values');
  const data = c.TF_TensorData(tensor);
  if (dtype === 'string') return Array.from({ length }, (_, i) => readString(c, stringAt(data, i)));
  if (length === 0) return new arrays[dtype](0);
  return new arrays[dtype](koffi.view(data, c.TF_TensorByteSize(tensor)).slice(0));
}

function readString(c: Runtime['c'], at: Pointer): Uint8Array {
  const size = c.TF_StringGetSize(at);
  return size === 0 ? new Uint8Array(0) : new Uint8Array(koffi.view(c.TF_StringGetDataPointer(at), size).slice(0));
}
