// Random access to the bytes of a file, wherever it lies: a path on this disk, bytes in memory, an object in a store.
// The format readers take any of them, read headers first and then one tensor at a time.

import { type FileHandle, open } from 'node:fs/promises';

export interface ByteReader {
  readonly size: number;
  /** Exactly `length` bytes from `offset`, in memory that is the caller's from then on. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A path, or a reader that its owner closes. */
export type ByteSource = string | ByteReader;

/** A file of weights that cannot be what it says it is; the message says where and why. */
export class ModelFormatError extends Error {
  override readonly name = 'ModelFormatError';
}

/** One system call reads at most this much (the limit of Linux and macOS is a little below 2 GiB). */
const largestRead = 1 << 30;

/** Runs `use` over a source; a path is opened before and closed after. */
export async function withReader<T>(source: ByteSource, use: (reader: ByteReader) => Promise<T>): Promise<T> {
  if (typeof source !== 'string') return use(source);
  const handle = await open(source);
  try {
    return await use({ size: (await handle.stat()).size, read: (offset, length) => readFully(handle, offset, length) });
  } finally {
    await handle.close();
  }
}

export const readerOfBytes = (bytes: Uint8Array): ByteReader => ({
  size: bytes.length,
  async read(offset, length) {
    if (offset + length > bytes.length) throw endedEarly(offset, length, bytes.length);
    return bytes.slice(offset, offset + length);
  },
});

/** Fresh memory, so that float32 data can be viewed in place instead of copied. */
async function readFully(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const want = Math.min(length - done, largestRead);
    const { bytesRead } = await handle.read(bytes, done, want, offset + done);
    if (bytesRead === 0) throw endedEarly(offset, length, offset + done);
    done += bytesRead;
  }
  return bytes;
}

const endedEarly = (offset: number, length: number, size: number) =>
  new ModelFormatError(`the file ends at byte ${size}; ${length} bytes at ${offset} were expected`);
