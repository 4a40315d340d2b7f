// A fetched file is what its table row says, or it is not used.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { AppError } from '../errors.ts';
import type { FetchOptions } from './progress.ts';

export interface ExpectedFile {
  sha256: string;
  size_bytes: number;
}

export interface CheckOptions extends FetchOptions {
  /** The file in messages. */
  what: string;
}

/** DATA_LOSS where size or SHA-256 differ. */
export async function checkFile(file: string, expected: ExpectedFile, { what, onProgress, signal }: CheckOptions) {
  const { size } = await stat(file);
  const differs = (found: string, wanted: string) =>
    new AppError('DATA_LOSS', `${what} is damaged or another version: ${found} instead of ${wanted}`);
  if (size !== expected.size_bytes) throw differs(`${size} bytes`, String(expected.size_bytes));
  const hash = createHash('sha256');
  let doneBytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20, ...(signal && { signal }) })) {
    hash.update(chunk);
    doneBytes += chunk.length;
    onProgress?.({ what, phase: 'checking', doneBytes, totalBytes: size });
  }
  const sha256 = hash.digest('hex');
  if (sha256 !== expected.sha256) throw differs(`SHA-256 ${sha256}`, expected.sha256);
}
