// Takes single files out of a zip archive (a wheel is one), streaming. Programs stay executable.
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { AppError } from '../errors.ts';
import type { FetchOptions } from './progress.ts';

export interface UnzipOptions extends FetchOptions {
  /** The archive in messages. */
  what: string;
  /** The file a member becomes, or undefined for one that is not wanted. */
  target: (member: string) => string | undefined;
}

/** The files that were written. DATA_LOSS where the archive is damaged or has nothing that is wanted. */
export async function unzip(archive: string, { what, target, onProgress, signal }: UnzipOptions): Promise<string[]> {
  const damaged = (why: string, cause?: unknown) => new AppError('DATA_LOSS', `${what} ${why}`, { cause });
  const zip = await openPromise(archive, { lazyEntries: true, autoClose: false }).catch((cause) => {
    throw damaged('is no zip archive', cause);
  });
  try {
    const wanted = await entriesOf(zip, target);
    if (wanted.length === 0) throw damaged('does not hold what is looked for in it');
    const totalBytes = wanted.reduce((sum, [entry]) => sum + entry.uncompressedSize, 0);
    let doneBytes = 0;
    for (const [entry, file] of wanted) {
      await mkdir(dirname(file), { recursive: true });
      const content = await zip.openReadStreamPromise(entry);
      const count = meter((bytes) => {
        doneBytes += bytes;
        onProgress?.({ what, phase: 'unpacking', doneBytes, totalBytes });
      });
      await pipeline(
        content,
        count,
        createWriteStream(file, { flush: true, mode: modeOf(entry) }),
        signal ? { signal } : {},
      );
    }
    return wanted.map(([, file]) => file);
  } finally {
    zip.close();
  }
}

async function entriesOf(zip: ZipFile, target: UnzipOptions['target']): Promise<[Entry, string][]> {
  const wanted: [Entry, string][] = [];
  for await (const entry of zip.eachEntry()) {
    const file = entry.fileName.endsWith('/') ? undefined : target(entry.fileName);
    if (file !== undefined) wanted.push([entry, file]);
  }
  return wanted;
}

/** Unix keeps a member's mode in the upper half of its attributes. */
const modeOf = ({ externalFileAttributes }: Entry): number => ((externalFileAttributes >>> 16) & 0o100 ? 0o755 : 0o644);

/** Passes chunks on and tells their sizes. */
export const meter = (onBytes: (bytes: number) => void): Transform =>
  new Transform({
    transform(chunk: Buffer, _, done) {
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
