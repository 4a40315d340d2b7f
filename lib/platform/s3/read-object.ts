// Reading an object: ranges, and streams that go on where they broke off, from the very same object.
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, hasCode } from '../errors.ts';
import type { ObjectInfo, Range } from '../object-store.ts';
import { type Connection, pauseBefore, type RequestOptions, watched } from './connection.ts';
import { codeOf, explain, isTransient } from './errors.ts';

type ReadOptions = Range & { signal?: AbortSignal | undefined };

/** Ours, beside S3's own: who wrote the object, and its SHA-256 where it was known before the upload began. */
export const metadata = { put: 'x-amz-meta-strata-put', sha256: 'x-amz-meta-sha256' } as const;

export interface ObjectHead extends ObjectInfo {
  /** Names the `put` that made it. */
  put: string | undefined;
  sha256: string | undefined;
}

export function headObject(
  connection: Connection,
  key: string,
  options: RequestOptions = {},
): Promise<ObjectHead | undefined> {
  const { client, place, request } = connection;
  const head = async (): Promise<ObjectHead | undefined> => {
    const { headers, statusCode } = await client.makeRequestAsyncOmit(
      { method: 'HEAD', bucketName: place.bucket, objectName: key },
      '',
      [200, 404],
    );
    return statusCode === 404 ? undefined : headOf(key, headers);
  };
  return request(head, { ...options, key });
}

const headOf = (key: string, headers: IncomingMessage['headers']): ObjectHead => ({
  key,
  sizeBytes: Number(headers['content-length']),
  etag: headers.etag ?? '',
  modifiedAt: new Date(headers['last-modified'] ?? 0),
  put: text(headers[metadata.put]),
  sha256: text(headers[metadata.sha256]),
});

const text = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' ? header : undefined;

interface Opened {
  /** Absent where there is nothing to read. */
  response?: IncomingMessage;
  /** Of the range. */
  sizeBytes: number;
  head?: ObjectHead;
}

/** Begins to read; `etag`: only from that very object. */
async function openRange(connection: Connection, key: string, options: ReadOptions, etag?: string): Promise<Opened> {
  const { client, place, request } = connection;
  const { offset = 0, signal } = options;
  const get = () => {
    const headers = { ...rangeOf(options), ...(etag && { 'if-match': etag }) };
    const what = { method: 'GET', bucketName: place.bucket, objectName: key, headers };
    return client.makeRequestAsync(what, '', [200, 206]);
  };
  try {
    const response = await request(get, { signal, key });
    const head = headOf(key, response.headers);
    return { response, sizeBytes: head.sizeBytes, head };
  } catch (error) {
    if (codeOf(error) !== 'InvalidRange') throw error;
    // Every range of an empty object is invalid to S3, and one that begins at its end to everybody.
    if (offset === 0) return { sizeBytes: 0 };
    throw new AppError('OUT_OF_RANGE', `object "${key}": offset ${offset} lies behind its end`, { cause: error });
  }
}

/** S3 knows no empty range: of one, the first byte is asked for, and thrown away. */
function rangeOf({ offset = 0, length = Infinity }: Range): { range?: string } {
  if (offset === 0 && length === Infinity) return {};
  return { range: `bytes=${offset}-${length === Infinity ? '' : offset + Math.max(length, 1) - 1}` };
}

export interface ObjectReader {
  /** Of the range. */
  sizeBytes: number;
  head: ObjectHead | undefined;
  /** To be read once. */
  chunks: AsyncIterable<Uint8Array>;
}

/** Begins to read an object; where the connection breaks, the chunks go on from there. */
export async function readObject(connection: Connection, key: string, options: ReadOptions): Promise<ObjectReader> {
  const { response, sizeBytes, head } = await openRange(connection, key, options);
  if (options.length === 0) response?.destroy();
  if (!response || !head || options.length === 0) return { sizeBytes: 0, head, chunks: nothing() };
  return { sizeBytes, head, chunks: chunksOf({ connection, options, response, sizeBytes, head }) };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

interface Reading extends Required<Opened> {
  connection: Connection;
  options: ReadOptions;
}

async function* chunksOf({ connection, options, response, sizeBytes, head }: Reading): AsyncGenerator<Uint8Array> {
  const { offset = 0, signal } = options;
  let from: IncomingMessage | undefined = response;
  let done = 0;
  let breaks = 0;
  let brokenAt = 0;
  while (from) {
    try {
      for await (const chunk of watched(from)) {
        done += chunk.byteLength;
        breaks = 0;
        yield chunk;
      }
      return;
    } catch (error) {
      signal?.throwIfAborted();
      if (breaks++ === 0) brokenAt = Date.now();
      const isLongBroken = Date.now() - brokenAt > connection.patienceMs;
      if (!isTransient(error) || isLongBroken) throw explain(error, connection.place, head.key);
    }
    await delay(pauseBefore(breaks), undefined, signal && { signal });
    const rest = { offset: offset + done, length: sizeBytes - done, signal };
    from = done < sizeBytes ? await reopen(connection, head, rest) : undefined;
  }
}

async function reopen(
  connection: Connection,
  { key, etag }: ObjectHead,
  rest: ReadOptions,
): Promise<IncomingMessage | undefined> {
  try {
    return (await openRange(connection, key, rest, etag)).response;
  } catch (error) {
    if (!hasCode(error, 'ALREADY_EXISTS', 'NOT_FOUND')) throw error;
    throw new AppError('ABORTED', `object "${key}" was replaced or deleted while it was read; read it anew`, {
      cause: error,
    });
  }
}

/** The whole range in memory. */
export async function readBytes(
  connection: Connection,
  key: string,
  options: ReadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { sizeBytes, chunks } = await readObject(connection, key, options);
  const bytes = new Uint8Array(sizeBytes);
  let done = 0;
  for await (const chunk of chunks) {
    bytes.set(chunk, done);
    done += chunk.byteLength;
  }
  return bytes;
}
