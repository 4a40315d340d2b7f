// Artefacts: immutable folders of the object store. Parts are written first, manifest.json last, with size and SHA-256 of every part.
// A reader trusts only what a manifest names, and checks it.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { AppError, hasCode, notFound } from './errors.ts';
import type { Body, ObjectStore } from './object-store.ts';

const partSchema = z.object({
  path: z.string().min(1),
  size_bytes: z.number().int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
const manifestSchema = z.object({
  kind: z.string(),
  name: z.string(),
  version: z.string(),
  created_at: z.string(),
  parts: z.array(partSchema),
  metadata: z.record(z.string(), z.unknown()),
});

export type ManifestPart = z.output<typeof partSchema>;
export type Manifest = z.output<typeof manifestSchema>;
export type ManifestHeader = Omit<Manifest, 'parts'>;

const manifestKey = (prefix: string): string => `${prefix}/manifest.json`;
const keyOf = (prefix: string, path: string): string => `${prefix}/${path}`;

export interface ArtifactWriter {
  /** Writes one part; `path` is relative to the artefact. */
  write(path: string, body: Body, options?: { signal?: AbortSignal }): Promise<ManifestPart>;
  /** Writes the manifest: from now on the artefact exists. ALREADY_EXISTS where it did before. */
  commit(header: ManifestHeader): Promise<StoredManifest>;
}

export interface StoredManifest {
  manifest: Manifest;
  /** Of the manifest's own bytes: names the whole artefact in one value. */
  sha256: string;
}

/** Begins an artefact under `prefix`. What is never committed is never seen; writing it again replaces it. */
export function createArtifact(store: ObjectStore, prefix: string): ArtifactWriter {
  const parts = new Map<string, ManifestPart>();
  return {
    async write(path, body, options = {}) {
      const { sizeBytes, sha256 } = await store.put(keyOf(prefix, path), body, options);
      const part = { path, size_bytes: sizeBytes, sha256 };
      parts.set(path, part);
      return part;
    },
    async commit(header) {
      const manifest = manifestSchema.parse({ ...header, parts: [...parts.values()] });
      const bytes = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
      const { sha256 } = await store.put(manifestKey(prefix), bytes, { ifAbsent: true });
      return { manifest, sha256 };
    },
  };
}

/** An artefact whose parts are all at hand. */
export async function writeArtifact(
  store: ObjectStore,
  prefix: string,
  { parts, ...header }: ManifestHeader & { parts: Record<string, Body> },
): Promise<StoredManifest> {
  const artifact = createArtifact(store, prefix);
  for (const [path, body] of Object.entries(parts)) await artifact.write(path, body);
  return artifact.commit(header);
}

/** Copies every part, checked on the way, and commits it under a header of its own. */
export async function copyArtifact(
  store: ObjectStore,
  from: string,
  to: string,
  header: (manifest: Manifest) => ManifestHeader,
): Promise<StoredManifest> {
  const source = await openArtifact(store, from);
  const copy = createArtifact(store, to);
  for (const { path } of source.manifest.parts) await copy.write(path, source.stream(path));
  return copy.commit(header(source.manifest));
}

/** The manifest; NOT_FOUND without one, DATA_LOSS where it cannot be read. */
export async function readManifest(store: ObjectStore, prefix: string): Promise<StoredManifest> {
  const bytes = await store.get(manifestKey(prefix)).catch((error) => {
    throw hasCode(error, 'NOT_FOUND') ? notFound('artefact', prefix) : error;
  });
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  try {
    return { manifest: manifestSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8'))), sha256 };
  } catch (cause) {
    throw new AppError('DATA_LOSS', `${manifestKey(prefix)} is damaged`, { cause });
  }
}

export interface Artifact extends StoredManifest {
  readonly prefix: string;
  has(path: string): boolean;
  /** The part, checked. DATA_LOSS names a part that is missing or altered; NOT_FOUND one that no manifest names. */
  read(path: string): Promise<Uint8Array<ArrayBuffer>>;
  /** As `read`, of a part that is UTF-8 text. */
  readText(path: string): Promise<string>;
  readJson<T>(path: string, schema: z.ZodType<T>): Promise<T>;
  /** As `read`, in chunks; the check fails at the end, so act on nothing before. */
  stream(path: string): AsyncIterable<Uint8Array>;
  /** The part as a local file, checked before `use` is called. */
  withLocalFile<T>(path: string, use: (file: string) => Promise<T>): Promise<T>;
  /** Reads and checks every part. */
  verify(): Promise<void>;
}

export async function openArtifact(store: ObjectStore, prefix: string): Promise<Artifact> {
  const stored = await readManifest(store, prefix);
  const parts = new Map(stored.manifest.parts.map((part) => [part.path, part]));
  const partOf = (path: string): ManifestPart => {
    const part = parts.get(path);
    if (!part) throw notFound('part', keyOf(prefix, path), `${manifestKey(prefix)} does not name it`);
    return part;
  };

  const read: Artifact['read'] = async (path) => {
    const part = partOf(path);
    const bytes = await store.get(keyOf(prefix, path)).catch((error) => {
      throw missingPart(error, prefix, path);
    });
    for await (const _ of checked([bytes], part, prefix));
    return bytes;
  };

  async function* stream(path: string): AsyncGenerator<Uint8Array> {
    const part = partOf(path);
    try {
      yield* checked(store.getStream(keyOf(prefix, path)), part, prefix);
    } catch (error) {
      throw missingPart(error, prefix, path);
    }
  }

  return {
    ...stored,
    prefix,
    has: (path) => parts.has(path),
    read,
    stream,
    readText: async (path) => Buffer.from(await read(path)).toString('utf8'),
    async readJson(path, schema) {
      const parsed = schema.safeParse(parseJson(await read(path)));
      if (parsed.success) return parsed.data;
      const message = `${keyOf(prefix, path)} does not hold what is expected: ${z.prettifyError(parsed.error)}`;
      throw new AppError('DATA_LOSS', message);
    },
    async withLocalFile(path, use) {
      const part = partOf(path);
      try {
        return await store.withLocalFile(keyOf(prefix, path), async (file) => {
          for await (const _ of checked(createReadStream(file, { highWaterMark: 1 << 20 }), part, prefix));
          return use(file);
        });
      } catch (error) {
        throw missingPart(error, prefix, path);
      }
    },
    async verify() {
      for (const path of parts.keys()) for await (const _ of stream(path));
    },
  };
}

const parseJson = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
};

/** Passes chunks on, and at the end compares their size and hash with the manifest. */
async function* checked(chunks: AsyncIterable<Uint8Array> | Uint8Array[], part: ManifestPart, prefix: string) {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    size += chunk.byteLength;
    yield chunk;
  }
  const name = keyOf(prefix, part.path);
  if (size !== part.size_bytes) {
    throw new AppError('DATA_LOSS', `${name} is damaged: ${size} bytes, its manifest says ${part.size_bytes}`);
  }
  const sha256 = hash.digest('hex');
  if (sha256 !== part.sha256) {
    throw new AppError('DATA_LOSS', `${name} is damaged: its SHA-256 is ${sha256}, its manifest says ${part.sha256}`);
  }
}

const missingPart = (error: unknown, prefix: string, path: string): unknown =>
  hasCode(error, 'NOT_FOUND') && error.details.thing === 'object'
    ? new AppError('DATA_LOSS', `${keyOf(prefix, path)} is missing, though its manifest names it`, { cause: error })
    : error;
