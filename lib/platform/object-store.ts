// The seam for bytes: immutable objects under slash-separated keys. Embedded: a folder. Cluster: MinIO or any S3.
// Keys are made by lib/contracts/keys.ts; artefacts of several parts go through manifest.ts.
import { AppError } from './errors.ts';

export interface ObjectInfo {
  key: string;
  sizeBytes: number;
  /** Changes whenever the content does; opaque. */
  etag: string;
  modifiedAt: Date;
}

export interface StoredObject {
  key: string;
  sizeBytes: number;
  /** Lower-case hex, computed while writing. */
  sha256: string;
}

export type Body = Uint8Array | AsyncIterable<Uint8Array>;

export interface PutObjectOptions {
  /** ALREADY_EXISTS instead of replacing. */
  ifAbsent?: boolean;
  signal?: AbortSignal;
}

export interface Range {
  offset?: number;
  /** Cut at the object's end. */
  length?: number;
}

export interface PresignRequest {
  key: string;
  method: 'GET' | 'PUT';
  /** At most 7 days. */
  expiresSeconds: number;
}

export interface ObjectStore {
  /**
   * Whole or not at all: a reader never sees half an object. A full disk is RESOURCE_EXHAUSTED. No key may be another one's folder: callers
   * see to that (contracts/keys.ts makes none), for only a folder can refuse it; S3 takes both, and MinIO then lists one of them.
   */
  put(key: string, body: Body, options?: PutObjectOptions): Promise<StoredObject>;
  /** NOT_FOUND for an unknown key; OUT_OF_RANGE where `offset` lies behind the end. */
  get(key: string, range?: Range & { signal?: AbortSignal }): Promise<Uint8Array<ArrayBuffer>>;
  /** As `get`, in chunks. */
  getStream(key: string, range?: Range & { signal?: AbortSignal }): AsyncIterable<Uint8Array>;
  head(key: string): Promise<ObjectInfo | undefined>;
  /** Every object below the folder `prefix` (`models/a` has `models/a/x`, not `models/ab`), by key; '' is everything. */
  list(prefix: string): AsyncIterable<ObjectInfo>;
  /** An absent key is no error. */
  delete(key: string): Promise<void>;
  deletePrefix(prefix: string): Promise<void>;
  /**
   * Gives `use` the path of a local file with the object's content, to read only (mmap, native libraries) and only until `use` is done.
   * A folder gives its own file; S3 downloads one and removes it afterwards.
   */
  withLocalFile<T>(key: string, use: (path: string) => Promise<T>): Promise<T>;
  /** Writes the object to a file of the caller's, which may then be changed. */
  download(key: string, path: string, options?: { signal?: AbortSignal }): Promise<void>;
  /** A URL with which anybody may do that one thing, with plain HTTP, until it expires. Only where clients can reach the store: S3. */
  presign?(request: PresignRequest): Promise<string>;
  close(): Promise<void>;
}

const segmentPattern = /^[A-Za-z0-9!_*'()@=+,-][A-Za-z0-9!_.*'()@=+, -]*$/;

/** Keys that every implementation takes: relative, no empty segment, none that begins with a dot, at most 1024 bytes. */
export function checkObjectKey(key: string): string {
  if (key.length <= 1024 && key.split('/').every((part) => segmentPattern.test(part) && part.length <= 200)) return key;
  throw new AppError(
    'INVALID_ARGUMENT',
    `object key ${JSON.stringify(key)}: must be relative, of plain names between slashes`,
  );
}

/** `models/a` and `models/a/` -> `models/a/`. */
export function checkPrefix(prefix: string): string {
  if (prefix === '') return '';
  return `${checkObjectKey(prefix.replace(/\/$/, ''))}/`;
}
