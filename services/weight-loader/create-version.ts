// A new version, so that it is there whole or not at all, and once for a request however often it is made:
// a number is reserved, the files are written with their manifest last, the version is added, others are told.
import { Lineage } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { objectKeys } from '#lib/contracts/keys.ts';
import { hasCode } from '#lib/platform/errors.ts';
import { idOfRequest } from '#lib/platform/ids.ts';
import { type ArtifactWriter, createArtifact, readManifest, type StoredManifest } from '#lib/platform/manifest.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import type { Announcer } from './announce.ts';
import type { Converter } from './convert/converter.ts';
import { addVersion, type ModelFacts, promote, reserveVersion, type VersionRecord, versionOf } from './model.ts';
import type { ModelStore } from './model-store.ts';

export interface Registry {
  models: ModelStore;
  objects: ObjectStore;
  announcer: Announcer;
  converter: Converter;
}

export interface NewVersion {
  name: string;
  /** Of requestKey. */
  request: string;
  facts: ModelFacts;
  lineage: Lineage;
  /** Alias to move to it, if any. */
  promoteTo?: string | undefined;
  /** Writes the files. Called again after a crash, it writes the same. */
  write(artifact: ArtifactWriter): Promise<void>;
}

/** Names a request; without an id each is its own. */
export const requestKey = (kind: 'import' | 'register', requestId: string): string => idOfRequest(kind, requestId);

/** The version that a request has made before; whoever asks again hears of it again. */
export async function findMade({ models, announcer }: Registry, name: string, request: string) {
  const model = await models.find(name);
  const made = model && versionOf(model, model.requests[request] ?? '');
  if (made) await announcer.announce(model);
  return made;
}

export async function createVersion(registry: Registry, spec: NewVersion): Promise<VersionRecord> {
  const { models, objects, announcer } = registry;
  const { name, request, promoteTo: alias } = spec;
  const { requests } = await models.change(name, (model) => reserveVersion(model, request));
  const version = requests[request] as string;
  const stored = await storeFiles(objects, objectKeys.model(name, version), version, spec);
  const record = toRecord(version, objectKeys.model(name, version), spec, stored);
  const model = await models.change(name, (before) => {
    const model = addVersion(before, record);
    const reason = `imported as ${version}`;
    return alias && model !== before ? promote(model, version, { alias, time: record.createTime, reason }) : model;
  });
  await announcer.announce(model);
  return versionOf(model, version) ?? record;
}

/** Where an earlier try of the same request got as far as the manifest, that one counts. */
async function storeFiles(
  objects: ObjectStore,
  prefix: string,
  version: string,
  spec: NewVersion,
): Promise<StoredManifest> {
  const earlier = await orUndefined(readManifest(objects, prefix), 'NOT_FOUND');
  if (earlier) return earlier;
  const artifact = createArtifact(objects, prefix);
  await spec.write(artifact);
  const { name, facts, lineage } = spec;
  const metadata = { ...facts, lineage: Lineage.toJSON(lineage) };
  const header = { kind: 'model', name, version, created_at: new Date().toISOString(), metadata };
  return (await orUndefined(artifact.commit(header), 'ALREADY_EXISTS')) ?? readManifest(objects, prefix);
}

const orUndefined = async <T>(promise: Promise<T>, code: 'NOT_FOUND' | 'ALREADY_EXISTS'): Promise<T | undefined> => {
  try {
    return await promise;
  } catch (error) {
    if (hasCode(error, code)) return undefined;
    throw error;
  }
};

const toRecord = (
  version: string,
  prefix: string,
  spec: NewVersion,
  { manifest, sha256 }: StoredManifest,
): VersionRecord => ({
  ...spec.facts,
  version,
  prefix,
  sizeBytes: manifest.parts.reduce((sum, part) => sum + part.size_bytes, 0),
  sha256,
  tokenizerSha256: manifest.parts.find(({ path }) => path === 'tokenizer.json')?.sha256 ?? '',
  lineage: Lineage.toJSON(spec.lineage),
  createTime: manifest.created_at,
});
