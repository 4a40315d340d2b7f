// Reading a backup as a stream, and holding what came against the manifest at its end.
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import type { z } from 'zod';
import { AppError, fromUnknown } from '../errors.ts';
import {
  type ArchiveEntry,
  type BackupManifest,
  type Header,
  headerSchema,
  manifestSchema,
  type OnProgress,
  paths,
} from './archive-format.ts';

export interface ArchiveFile {
  path: string;
  sizeBytes: number;
  /** To be read to its end, or not at all. */
  content: AsyncIterable<Uint8Array>;
}

export interface ArchiveReaders {
  header(header: Header): Promise<void>;
  /** A file of the state or an object, in the order of the archive. */
  file(file: ArchiveFile): Promise<void>;
}

const damaged = (what: string, cause?: unknown): AppError =>
  new AppError('DATA_LOSS', `the archive is damaged: ${what}`, { cause });

/**
 * Hands over header and files as they come; then checks all that was read against the manifest. Until it returns, nothing of it is to be trusted.
 * DATA_LOSS names what is wrong.
 */
export async function readArchive(
  source: Readable,
  readers: Partial<ArchiveReaders> = {},
  onProgress?: OnProgress,
): Promise<BackupManifest> {
  const found: ArchiveEntry[] = [];
  let manifest: BackupManifest | undefined;
  let read = 0;
  for await (const { path, sizeBytes, content } of filesOf(source)) {
    if (manifest) throw damaged(`${path} comes after the manifest`);
    if (path === paths.manifest) {
      manifest = await readJson(manifestSchema, path, content);
      continue;
    }
    const isFirst = found.length === 0;
    if (isFirst !== (path === paths.header)) throw damaged(`it does not begin with ${paths.header}: is it a backup?`);
    const hash = createHash('sha256');
    const hashed = (async function* () {
      for await (const chunk of content) {
        hash.update(chunk);
        yield chunk;
        read += chunk.byteLength;
        onProgress?.('reading', read, 0, 'bytes');
      }
    })();
    if (isFirst) await readers.header?.(await readJson(headerSchema, path, hashed));
    else await readers.file?.({ path, sizeBytes, content: hashed });
    for await (const _ of hashed);
    found.push({ path, size_bytes: sizeBytes, sha256: hash.digest('hex') });
  }
  if (!manifest) throw damaged('it ends before its manifest: it was cut, or the backup never came to its end');
  compare(found, manifest.entries);
  return manifest;
}

async function* filesOf(source: Readable): AsyncGenerator<ArchiveFile> {
  const archive = extract();
  source.on('error', (error) => archive.destroy(error));
  source.pipe(archive);
  // The iteration throws it; this only keeps it from being nobody's.
  archive.on('error', () => undefined);
  try {
    for await (const entry of archive) {
      const { name, size = 0 } = entry.header;
      yield { path: name, sizeBytes: size, content: contentOf(entry as AsyncIterable<Uint8Array>) };
    }
  } catch (error) {
    throw explained(error);
  } finally {
    source.destroy();
    archive.destroy();
  }
}

async function* contentOf(entry: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* entry;
  } catch (error) {
    throw explained(error);
  }
}

/** tar-stream throws plain errors; those of files and our own have a code. */
function explained(error: unknown): unknown {
  const { name, code, message } = error as NodeJS.ErrnoException;
  return name === 'Error' && code === undefined
    ? damaged(`${message}: it was cut, or is no tar archive`, error)
    : error;
}

async function readJson<T>(schema: z.ZodType<T>, path: string, content: AsyncIterable<Uint8Array>): Promise<T> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  try {
    return schema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  } catch (error) {
    const { message } = fromUnknown(error);
    throw damaged(`${path} is not what this version of strata writes (${message.slice(0, 200)})`, error);
  }
}

/** Every file of the manifest, as it says, in its order, and no other. */
function compare(found: readonly ArchiveEntry[], expected: readonly ArchiveEntry[]): void {
  for (let index = 0; index < Math.max(found.length, expected.length); index++) {
    const [there, said] = [found[index], expected[index]];
    if (there?.path !== said?.path)
      throw damaged(`${said?.path ?? 'nothing'} is expected where ${there?.path ?? 'nothing'} is`);
    if (there?.size_bytes !== said?.size_bytes || there?.sha256 !== said?.sha256) {
      throw damaged(`${said?.path} has another SHA-256 than its manifest says`);
    }
  }
}
