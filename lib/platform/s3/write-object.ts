// Writing an object, whole or not at all. What fits into one part is one request; more is a multipart upload, whose parts nobody sees
// until they are completed together, and which is aborted when anything fails. The server checks what it received: by the SHA-256 in each
// request's signature (http), or by its Content-MD5 (https).
import { createHash, randomUUID } from 'node:crypto';
import { AppError } from '../errors.ts';
import type { Body, PutObjectOptions, StoredObject } from '../object-store.ts';
import { type Connection, strangeAnswer, textOf } from './connection.ts';
import { codeOf } from './errors.ts';
import { largestObject, mostParts, type Part, partsOf } from './parts.ts';
import { headObject, metadata } from './read-object.ts';

/** Parts on their way at the same time: that many are held in memory, and one more that is being filled. */
const mostInFlight = 3;

interface Target {
  connection: Connection;
  key: string;
  ifAbsent: boolean;
  signal: AbortSignal | undefined;
  /** Names this write, so that a repeated request can tell its own object from another one's. */
  put: string;
}

export async function writeObject(
  connection: Connection,
  key: string,
  body: Body,
  { ifAbsent = false, signal }: PutObjectOptions,
): Promise<StoredObject> {
  const target = { connection, key, ifAbsent, signal, put: randomUUID() };
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let upload: MultipartUpload | undefined;
  try {
    for await (const part of partsOf(body, signal)) {
      hash.update(part.bytes);
      sizeBytes += part.bytes.byteLength;
      if (!part.isLast) upload ??= await beginUpload(target);
      if (upload) await upload.send(part);
      else await putWhole(target, part.bytes, hash.copy().digest('hex'));
    }
    await upload?.complete();
  } catch (error) {
    await upload?.abort();
    throw error;
  }
  return { key, sizeBytes, sha256: hash.digest('hex') };
}

async function putWhole(target: Target, bytes: Buffer, sha256: string): Promise<void> {
  const { connection, key, ifAbsent, signal, put } = target;
  const { client, place } = connection;
  const send = async (attempt: number): Promise<void> => {
    const headers = {
      'content-length': bytes.byteLength,
      'content-type': 'application/octet-stream',
      [metadata.put]: put,
      [metadata.sha256]: sha256,
      ...precondition(ifAbsent),
      ...md5Of(connection, bytes),
    };
    const request = { method: 'PUT', bucketName: place.bucket, objectName: key, headers };
    const signed = client.enableSHA256 ? sha256 : '';
    await client
      .makeRequestStreamAsync(request, bytes, signed, [200], '')
      .then(textOf)
      .catch(unlessDone(target, attempt));
  };
  await connection.request(send, { signal, key });
}

const precondition = (ifAbsent: boolean): Record<string, string> => (ifAbsent ? { 'if-none-match': '*' } : {});

const md5Of = ({ client }: Connection, bytes: Buffer): Record<string, string> =>
  client.enableSHA256 ? {} : { 'content-md5': createHash('md5').update(bytes).digest('base64') };

/** A repeated request may find the work of the first one, whose answer was lost. */
const unlessDone =
  ({ connection, key, put }: Target, attempt: number) =>
  async (error: unknown): Promise<void> => {
    const mayBeDone = attempt > 1 && ['PreconditionFailed', 'NoSuchUpload'].includes(codeOf(error));
    if (!mayBeDone || (await headObject(connection, key))?.put !== put) throw error;
  };

interface MultipartUpload {
  /** Takes a part, once there is room for one more on the way. */
  send(part: Part): Promise<void>;
  complete(): Promise<void>;
  /** Never fails: what stays behind, the bucket's rule removes. */
  abort(): Promise<void>;
}

async function beginUpload(target: Target): Promise<MultipartUpload> {
  const { connection, key, ifAbsent, signal, put } = target;
  const { client, place, request } = connection;
  if (ifAbsent && (await headObject(connection, key, { signal }))) {
    throw new AppError('ALREADY_EXISTS', `object "${key}" exists already`);
  }
  const headers = { 'content-type': 'application/octet-stream', [metadata.put]: put };
  const begin = () => client.initiateNewMultipartUpload(place.bucket, key, { ...headers });
  const uploadId = await request(begin, { signal, key });
  const stopped = new AbortController();
  const eitherSignal = signal ? AbortSignal.any([signal, stopped.signal]) : stopped.signal;
  const etags = new Map<number, string>();
  const inFlight = new Set<Promise<void>>();
  let failure: unknown;

  const sendPart = async ({ number, bytes }: Part): Promise<void> => {
    const etag = await request(() => putPart(target, { uploadId, number, bytes }), {
      signal: eitherSignal,
      key,
    });
    etags.set(number, etag);
  };

  return {
    async send(part) {
      if (part.number > mostParts) {
        throw new AppError('INVALID_ARGUMENT', `object "${key}" is larger than ${largestObject}, which is the most`);
      }
      while (inFlight.size >= mostInFlight) await Promise.race(inFlight);
      if (failure) throw failure;
      const sending = sendPart(part)
        .catch((error) => {
          failure ??= error;
          stopped.abort();
        })
        .finally(() => inFlight.delete(sending));
      inFlight.add(sending);
    },
    async complete() {
      await Promise.all(inFlight);
      if (failure) throw failure;
      await request((attempt) => putTogether(target, uploadId, etags).catch(unlessDone(target, attempt)), {
        signal,
        key,
      });
    },
    async abort() {
      stopped.abort();
      await Promise.all(inFlight);
      await client.abortMultipartUpload(place.bucket, key, uploadId).catch(() => undefined);
    },
  };
}

/** Sends one part: its etag. */
async function putPart(
  { connection, key }: Target,
  { uploadId, number, bytes }: { uploadId: string; number: number; bytes: Buffer },
): Promise<string> {
  const { client, place } = connection;
  const query = `partNumber=${number}&uploadId=${encodeURIComponent(uploadId)}`;
  const request = {
    method: 'PUT',
    bucketName: place.bucket,
    objectName: key,
    query,
    headers: md5Of(connection, bytes),
  };
  const response = await client.makeRequestAsync(request, bytes);
  await textOf(response);
  if (!response.headers.etag) throw strangeAnswer(place, 'a part without an ETag');
  return response.headers.etag;
}

async function putTogether({ connection, key, ifAbsent }: Target, uploadId: string, etags: Map<number, string>) {
  const { client, place } = connection;
  const parts = [...etags]
    .sort(([a], [b]) => a - b)
    .map(([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`);
  const query = `uploadId=${encodeURIComponent(uploadId)}`;
  const request = { method: 'POST', bucketName: place.bucket, objectName: key, query, headers: precondition(ifAbsent) };
  const payload = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`;
  const answer = await textOf(await client.makeRequestAsync(request, payload));
  // S3 begins to answer before it knows, so a failure comes with status 200.
  const code = /<Error>.*<Code>(\w+)<\/Code>/s.exec(answer)?.[1];
  if (code) throw Object.assign(new Error(`the upload could not be completed: ${code}`), { code });
}
