// Cuts a body into parts of one size: what a request carries, and what is sent again when one fails.
import type { Body } from '../object-store.ts';

/** S3 takes no parts below 5 MiB but the last, and no more than 10,000. */
export const partBytes = 16 * 1024 * 1024;
export const mostParts = 10_000;
export const largestObject = '156 GiB';

export interface Part {
  /** From 1. */
  number: number;
  bytes: Buffer;
  isLast: boolean;
}

/** At least one part, perhaps empty. Chunks are copied: their owner may use them again at once. */
export async function* partsOf(body: Body, signal?: AbortSignal): AsyncGenerator<Part> {
  let number = 1;
  if (ArrayBuffer.isView(body)) {
    for (let offset = 0; offset === 0 || offset < body.byteLength; offset += partBytes, number++) {
      const bytes = Buffer.from(body.buffer, body.byteOffset + offset, Math.min(partBytes, body.byteLength - offset));
      yield { number, bytes, isLast: offset + partBytes >= body.byteLength };
    }
    return;
  }
  let filled = createBuffer();
  for await (const chunk of body) {
    signal?.throwIfAborted();
    for (let offset = 0; offset < chunk.byteLength; ) {
      if (filled.isFull()) {
        yield { number: number++, bytes: filled.bytes(), isLast: false };
        filled = createBuffer();
      }
      offset += filled.add(chunk, offset);
    }
  }
  yield { number, bytes: filled.bytes(), isLast: true };
}

/** Grows by doubling up to one part, so that small objects cost little. */
function createBuffer() {
  let buffer = Buffer.alloc(0);
  let size = 0;
  return {
    isFull: () => size === partBytes,
    bytes: () => buffer.subarray(0, size),
    /** How many bytes it took. */
    add(chunk: Uint8Array, offset: number): number {
      const count = Math.min(chunk.byteLength - offset, partBytes - size);
      if (size + count > buffer.length) {
        const larger = Buffer.allocUnsafeSlow(
          Math.min(partBytes, Math.max(2 * buffer.length, size + count, 64 * 1024)),
        );
        buffer.copy(larger, 0, 0, size);
        buffer = larger;
      }
      buffer.set(chunk.subarray(offset, offset + count), size);
      size += count;
      return count;
    },
  };
}
