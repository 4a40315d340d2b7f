// Token ids, labels and lengths cross the wire as int32, little-endian.
import { endianness } from 'node:os';

if (endianness() !== 'LE')
  throw new Error('Strata needs a little-endian machine: tensors cross the wire as they lie in memory');

/** Ids -> their bytes on the wire. */
export function toInt32Bytes(ids: ArrayLike<number>): Buffer {
  return Buffer.from(Int32Array.from(ids).buffer);
}

/**
 * Bytes on the wire -> ids.
 * @throws {RangeError} when the length is no multiple of 4
 */
export function fromInt32Bytes(bytes: Uint8Array): Int32Array {
  if (bytes.length % 4) throw new RangeError(`int32 data has ${bytes.length} bytes, which is no multiple of 4`);
  // A received Buffer is a view into its whole message, and its own slice() does not copy.
  return new Int32Array(Uint8Array.from(bytes).buffer);
}
