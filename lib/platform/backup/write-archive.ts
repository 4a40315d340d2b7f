// Writing a tar archive as a stream: one file after the other, each hashed on its way, none held in memory.
import { createHash } from 'node:crypto';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import { AppError } from '../errors.ts';
import type { ArchiveEntry } from './archive-format.ts';

type Sink = ReturnType<Pack['entry']>;
type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export interface ArchiveWriter {
  /** What was added so far. */
  readonly entries: readonly ArchiveEntry[];
  /** Adds a file, which has to have the size that is said before. ABORTED where it has another. */
  add(path: string, sizeBytes: number, content: Chunks): Promise<void>;
  addText(path: string, text: string): Promise<void>;
  /** Ends the archive, and returns once everything has reached the destination. */
  finish(): Promise<void>;
  /** Gives up; the destination is left as it is. */
  abandon(): Promise<void>;
}

export function createArchiveWriter(destination: Writable, { end }: { end: boolean }): ArchiveWriter {
  const archive = pack();
  const entries: ArchiveEntry[] = [];
  const delivery = pipeline(Readable.from(archive, { objectMode: false }), destination, { end });
  // Asked for in `add` and `finish`; until then a failure is nobody's.
  delivery.catch(() => undefined);

  const write = async (sink: Sink, chunk: Uint8Array): Promise<void> => {
    if (!sink.write(chunk)) await drained(sink);
    if (!sink.destroyed) return;
    // Why the destination takes no more.
    await delivery;
    throw new AppError('ABORTED', 'the archive was closed before its end');
  };

  const add: ArchiveWriter['add'] = async (path, sizeBytes, content) => {
    const hash = createHash('sha256');
    let size = 0;
    const sink = archive.entry({ name: path, size: sizeBytes, mtime: new Date() });
    // Said by `write`.
    sink.on('error', () => undefined);
    for await (const chunk of content) {
      size += chunk.byteLength;
      if (size > sizeBytes) break;
      hash.update(chunk);
      await write(sink, chunk);
    }
    if (size !== sizeBytes) {
      throw new AppError('ABORTED', `${path} was replaced while it was read: try again`);
    }
    sink.end(null);
    entries.push({ path, size_bytes: size, sha256: hash.digest('hex') });
  };

  return {
    entries,
    add,
    addText: (path, text) => {
      const bytes = Buffer.from(text);
      return add(path, bytes.byteLength, [bytes]);
    },
    async finish() {
      archive.finalize();
      await delivery;
    },
    async abandon() {
      archive.destroy(new Error('given up'));
      await delivery.catch(() => undefined);
    },
  };
}

const drained = (sink: Sink): Promise<void> =>
  new Promise((resolve) => {
    const go = (): void => {
      sink.off('drain', go).off('close', go);
      resolve();
    };
    sink.on('drain', go).on('close', go);
  });
