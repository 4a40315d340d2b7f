// Downloads a file over HTTPS. Proxies: Node takes HTTPS_PROXY where NODE_USE_ENV_PROXY=1 is set.
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { AppError } from '../errors.ts';
import type { FetchOptions } from './progress.ts';
import { meter } from './unzip.ts';

/** Silence for so long counts as a dead connection. */
const silentMs = 30_000;

export interface DownloadOptions extends FetchOptions {
  what: string;
  /** The size where it is known. */
  sizeBytes: number;
}

/** UNAVAILABLE says what the server or the network answered. */
export async function download(url: string, file: string, options: DownloadOptions): Promise<void> {
  const { what, sizeBytes, onProgress, signal } = options;
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), silentMs);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), silentMs);
  };
  let doneBytes = 0;
  try {
    const either = AbortSignal.any([silence.signal, ...(signal ? [signal] : [])]);
    const response = await fetch(url, { signal: either, headers: { 'user-agent': 'strata' } });
    if (!response.ok || !response.body) throw new AppError('UNAVAILABLE', `the server answered ${response.status}`);
    const count = meter((bytes) => {
      alive();
      doneBytes += bytes;
      onProgress?.({ what, phase: 'downloading', doneBytes, totalBytes: sizeBytes });
    });
    await pipeline(response.body, count, createWriteStream(file, { flush: true }), { signal: either });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (silence.signal.aborted) throw new AppError('UNAVAILABLE', `nothing came for ${silentMs / 1000} s`);
    throw networkError(error);
  } finally {
    clearTimeout(timer);
  }
}

function networkError(error: unknown): unknown {
  const { name, cause } = error as Error & { cause?: NodeJS.ErrnoException };
  if (name !== 'TypeError') return error;
  return new AppError('UNAVAILABLE', `no connection (${cause?.code ?? cause?.message ?? 'fetch failed'})`, {
    cause: error,
  });
}
