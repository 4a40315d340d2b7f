// Files over gRPC streams: a header, then chunks. Received files are kept under their own hash: sending one twice stores it once.
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { ObjectRef, UploadHeader } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { objectKeys, tenantPattern, tenantRule } from '#lib/contracts/keys.ts';
import { invalidArgument } from './errors.ts';
import type { ObjectStore } from './object-store.ts';

/** The generated request of every upload RPC has this shape. */
export interface UploadMessage {
  part?: { $case: 'header'; value: UploadHeader } | { $case: 'chunk'; value: Uint8Array } | undefined;
}

export interface ReceiveOptions {
  signal?: AbortSignal;
  /** Larger files are refused. Default 64 GiB. */
  maxBytes?: number;
  /** Where it is kept. Default `uploads/<sha256>/<filename>`, with an owner `uploads/<owner>/<sha256>/<filename>`. */
  keyOf?: (sha256: string, filename: string, owner: string) => string;
  /** Where a file waits whose hash is not known before its end. Default: the system's folder for temporary files. */
  spoolFolder?: string;
}

const chunkBytes = 1024 * 1024;

/** Stores one uploaded file, whole and checked, or nothing. */
export async function receiveUpload(
  store: ObjectStore,
  messages: AsyncIterable<UploadMessage>,
  { signal, maxBytes = 64 * 1024 ** 3, keyOf = objectKeys.upload, spoolFolder = tmpdir() }: ReceiveOptions = {},
): Promise<ObjectRef> {
  const iterator = messages[Symbol.asyncIterator]();
  const header = checkHeader((await iterator.next()).value, maxBytes);
  const chunks = checkedChunks(iterator, header, maxBytes);
  const put = async (sha256: string, body: AsyncIterable<Uint8Array>): Promise<ObjectRef> =>
    store.put(keyOf(sha256, header.filename, header.owner), body, signal ? { signal } : {});
  if (header.sha256) return put(header.sha256, chunks);
  // The key is the hash, and the hash comes last: the file waits on this machine.
  const spool = join(spoolFolder, `strata-upload-${randomUUID()}`);
  try {
    const sha256 = await writeHashed(spool, chunks, signal);
    return await put(sha256, createReadStream(spool, { highWaterMark: chunkBytes }));
  } finally {
    await rm(spool, { force: true });
  }
}

function checkHeader(first: UploadMessage | undefined, maxBytes: number): UploadHeader {
  if (first?.part?.$case !== 'header') throw invalidArgument('header', 'must be the first message of the stream');
  const header = first.part.value;
  const name = header.filename;
  if (!/^[A-Za-z0-9_()@=+,! -][A-Za-z0-9_.()@=+,! -]{0,199}$/.test(name)) {
    throw invalidArgument(
      'header.filename',
      `must be a plain file name without folders; it is ${JSON.stringify(name)}`,
    );
  }
  if (header.sha256 && !/^[0-9a-f]{64}$/.test(header.sha256)) {
    throw invalidArgument('header.sha256', 'must be 64 lower-case hexadecimal digits');
  }
  if (header.owner && !tenantPattern.test(header.owner)) throw invalidArgument('header.owner', tenantRule);
  if (header.sizeBytes > maxBytes) throw tooLarge(maxBytes);
  return header;
}

/** Passes chunks on; fails before it ends where size or hash are not the header's, so that nothing is stored. */
async function* checkedChunks(messages: AsyncIterator<UploadMessage>, header: UploadHeader, maxBytes: number) {
  const hash = createHash('sha256');
  let size = 0;
  for (let next = await messages.next(); !next.done; next = await messages.next()) {
    const { part } = next.value;
    if (part?.$case !== 'chunk') throw invalidArgument('chunk', 'must be every message after the first');
    size += part.value.byteLength;
    if (size > (header.sizeBytes || maxBytes)) break;
    hash.update(part.value);
    yield part.value;
  }
  if (size > maxBytes) throw tooLarge(maxBytes);
  if (header.sizeBytes && size !== header.sizeBytes) {
    const came = size > header.sizeBytes ? 'more' : size;
    throw invalidArgument('header.size_bytes', `${header.sizeBytes} bytes were announced, ${came} came`);
  }
  const sha256 = hash.digest('hex');
  if (header.sha256 && sha256 !== header.sha256) {
    throw invalidArgument('header.sha256', `${header.sha256} was announced, ${sha256} came`);
  }
}

const tooLarge = (maxBytes: number) =>
  invalidArgument('header.size_bytes', `files of more than ${maxBytes} bytes are refused`);

async function writeHashed(path: string, chunks: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await using file = await open(path, 'wx', 0o600);
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    hash.update(chunk);
    await file.appendFile(chunk);
  }
  return hash.digest('hex');
}

/** The messages that upload a local file: its hash is in the header. */
export async function* uploadFile(path: string, filename = basename(path)): AsyncGenerator<UploadMessage> {
  const { size } = await stat(path);
  const sha256 = await hashFile(path);
  yield { part: { $case: 'header', value: { filename, sizeBytes: size, sha256, owner: '' } } };
  for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes })) {
    yield { part: { $case: 'chunk', value: chunk } };
  }
}

export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes })) hash.update(chunk);
  return hash.digest('hex');
}
