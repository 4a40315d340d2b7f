// Trained and built-in tokenizers: immutable versions in the object store (tokenizers/<name>/<version>/), and what is known about
// them in the state store. A version number belongs to one request, so two writers never meet in one folder.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { keys, objectKeys, versionName } from '#lib/contracts/keys.ts';
import { AppError, hasCode, notFound } from '#lib/platform/errors.ts';
import { type KeyValue, update } from '#lib/platform/key-value.ts';
import { type Manifest, readManifest, writeArtifact } from '#lib/platform/manifest.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import type { TokenizerFiles } from '#lib/text/tokenizer-files.ts';
import type { Description } from './describe.ts';

export interface StoredTokenizer {
  ref: ArtifactRef;
  description: Description;
  createTime: string;
}

/** Who asked for a version: the same id has to come with the same request. */
export interface Origin {
  requestId: string;
  requestSha256: string;
}

export interface MadeTokenizer {
  files: Required<TokenizerFiles>;
  description: Description;
  /** What it was made of, for the manifest. */
  sources: unknown;
}

export interface Registry {
  /** What this request has already made. ALREADY_EXISTS where its id came with another request. */
  findMade(name: string, origin: Origin): Promise<StoredTokenizer | undefined>;
  /** Writes a new version. */
  add(name: string, origin: Origin, made: MadeTokenizer): Promise<StoredTokenizer>;
  /** An empty version is the newest. NOT_FOUND. */
  get(ref: ArtifactRef): Promise<StoredTokenizer>;
  /** By name, oldest version first. */
  list(): Promise<StoredTokenizer[]>;
}

interface VersionRecord extends Origin {
  version: string;
  /** Absent while the version is being written, and for ever where that was interrupted and nobody asked again. */
  made?: { description: Description; createTime: string };
}

interface TokenizerRecord {
  name: string;
  versions: VersionRecord[];
}

export const createRegistry = ({ state, objects }: { state: KeyValue; objects: ObjectStore }): Registry => {
  const read = async (name: string): Promise<VersionRecord[]> =>
    (await state.get<TokenizerRecord>(keys.tokenizer(name)))?.value.versions ?? [];

  /** The version that belongs to this request: the one it has, or the next free one. */
  const reserve = async (name: string, origin: Origin): Promise<string> => {
    const record = await update<TokenizerRecord>(state, keys.tokenizer(name), (current) => {
      const versions = current?.versions ?? [];
      if (findOrigin(versions, origin)) return undefined;
      return { name, versions: [...versions, { ...origin, version: versionName(versions.length + 1) }] };
    });
    return (findOrigin(record?.versions ?? [], origin) as VersionRecord).version;
  };

  const complete = async (name: string, version: string, made: VersionRecord['made']): Promise<void> => {
    await update<TokenizerRecord>(state, keys.tokenizer(name), (current) => ({
      name,
      versions: (current?.versions ?? []).map((one) => (one.version === version && made ? { ...one, made } : one)),
    }));
  };

  return {
    async findMade(name, origin) {
      const found = findOrigin(await read(name), origin);
      return found && toStored(name, found);
    },
    async add(name, origin, { files, description, sources }) {
      const version = await reserve(name, origin);
      const prefix = objectKeys.tokenizer(name, version);
      const manifest =
        (await findManifest(objects, prefix)) ??
        (await writeFiles(objects, prefix, files, {
          kind: 'tokenizer',
          name,
          version,
          created_at: new Date().toISOString(),
          metadata: { ...description, sources, request_id: origin.requestId },
        }));
      const made = { description, createTime: manifest.created_at };
      await complete(name, version, made);
      return { ref: { name, version }, ...made };
    },
    async get({ name, version }) {
      const stored = (await read(name)).flatMap((one) => toStored(name, one) ?? []);
      const found = version === '' ? stored.at(-1) : stored.find(({ ref }) => ref.version === version);
      if (found) return found;
      const known = stored.map(({ ref }) => ref.version).join(', ');
      throw notFound('tokenizer', version ? `${name}@${version}` : name, known ? `there is ${known}` : listHint);
    },
    async list() {
      const records = await state.list<TokenizerRecord>(keys.tokenizers);
      return records.flatMap(({ value: { name, versions } }) => versions.flatMap((one) => toStored(name, one) ?? []));
    },
  };
};

const listHint = '`strata tokenizer list` shows what there is';

const findOrigin = (versions: readonly VersionRecord[], { requestId, requestSha256 }: Origin) => {
  const found = versions.find((version) => version.requestId === requestId);
  if (!found || found.requestSha256 === requestSha256) return found;
  throw new AppError(
    'ALREADY_EXISTS',
    `this request_id has already made version ${found.version} from another request`,
    {
      field: 'request_id',
    },
  );
};

const toStored = (name: string, { version, made }: VersionRecord): StoredTokenizer | undefined =>
  made && { ref: { name, version }, ...made };

const findManifest = async (objects: ObjectStore, prefix: string): Promise<Manifest | undefined> => {
  try {
    return (await readManifest(objects, prefix)).manifest;
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
};

const writeFiles = async (
  objects: ObjectStore,
  prefix: string,
  files: Required<TokenizerFiles>,
  header: Omit<Manifest, 'parts'>,
): Promise<Manifest> => {
  const parts = Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.from(text ?? '')]));
  return (await writeArtifact(objects, prefix, { ...header, parts })).manifest;
};
