// Datasets: immutable versions in the object store (datasets/<name>/<version>/), and in the state store which request made which.
// A version number belongs to one request, so two writers never meet in one folder, and an interrupted one is finished by asking again.

import { createEvent, subjects } from '#lib/contracts/events.ts';
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { Dataset } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { keys, objectKeys, versionName } from '#lib/contracts/keys.ts';
import { AppError, notFound } from '#lib/platform/errors.ts';
import { update } from '#lib/platform/key-value.ts';
import type { StoredManifest } from '#lib/platform/manifest.ts';
import type { Platform } from '#lib/platform/platform.ts';
import { toDataset } from './dataset-manifest.ts';

/** Who asked for a version: the same id has to come with the same request. */
export interface Origin {
  requestId: string;
  requestSha256: string;
}

export interface DatasetStore {
  /** What this request has already made. ALREADY_EXISTS where its id came with another request. */
  findMade(name: string, origin: Origin): Promise<Dataset | undefined>;
  /** The version that belongs to this request: the one it has, or the next free one. */
  reserve(name: string, origin: Origin): Promise<string>;
  /** Makes a written artefact known, and says so. */
  complete(stored: StoredManifest): Promise<Dataset>;
  /** An empty version is the newest. NOT_FOUND. */
  get(ref: ArtifactRef): Promise<Dataset>;
  /** By name, oldest version first. */
  list(): Promise<Dataset[]>;
  /** Says again what may not have been said before the last stop. */
  announceMissing(): Promise<void>;
}

interface VersionRecord extends Origin {
  version: string;
  /** The contract's JSON; absent while the version is being written. */
  made?: unknown;
  isAnnounced?: boolean;
}

interface DatasetRecord {
  name: string;
  versions: VersionRecord[];
}

export function createDatasetStore({ state, events }: Pick<Platform, 'state' | 'events'>): DatasetStore {
  const read = async (name: string): Promise<VersionRecord[]> =>
    (await state.get<DatasetRecord>(keys.dataset(name)))?.value.versions ?? [];

  const change = (name: string, version: string, changes: Partial<VersionRecord>) =>
    update<DatasetRecord>(state, keys.dataset(name), (record) => ({
      name,
      versions: (record?.versions ?? []).map((one) => (one.version === version ? { ...one, ...changes } : one)),
    }));

  const announce = async ({ ref, sha256 }: Dataset): Promise<void> => {
    const { name, version } = ref as ArtifactRef;
    const prefix = objectKeys.dataset(name, version);
    const data = { dataset: { name, version }, prefix, sha256 };
    const id = `dataset.committed/${name}/${version}`;
    await events.publish(createEvent(subjects.datasetCommitted, { id, source: 'data-sampler', about: prefix, data }));
    await change(name, version, { isAnnounced: true });
  };

  return {
    async findMade(name, origin) {
      return toMade(findOrigin(await read(name), origin));
    },
    async reserve(name, origin) {
      const record = await update<DatasetRecord>(state, keys.dataset(name), (current) => {
        const versions = current?.versions ?? [];
        if (findOrigin(versions, origin)) return undefined;
        return { name, versions: [...versions, { ...origin, version: versionName(versions.length + 1) }] };
      });
      return (findOrigin(record?.versions ?? [], origin) as VersionRecord).version;
    },
    async complete(stored) {
      const dataset = toDataset(stored);
      await change(stored.manifest.name, stored.manifest.version, { made: Dataset.toJSON(dataset) });
      await announce(dataset);
      return dataset;
    },
    async get({ name, version }) {
      const made = (await read(name)).flatMap((one) => toMade(one) ?? []);
      const found = version === '' ? made.at(-1) : made.find(({ ref }) => ref?.version === version);
      if (found) return found;
      const known = made.map(({ ref }) => ref?.version).join(', ');
      const hint = known ? `there is ${known}` : '`strata dataset list` shows what there is';
      throw notFound('dataset', version ? `${name}@${version}` : name, hint);
    },
    async list() {
      const records = await state.list<DatasetRecord>(keys.datasets);
      return records.flatMap(({ value }) => value.versions.flatMap((one) => toMade(one) ?? []));
    },
    async announceMissing() {
      for (const { value } of await state.list<DatasetRecord>(keys.datasets)) {
        for (const one of value.versions) {
          const made = toMade(one);
          if (made && !one.isAnnounced) await announce(made);
        }
      }
    },
  };
}

const toMade = (record: VersionRecord | undefined): Dataset | undefined =>
  record?.made === undefined ? undefined : Dataset.fromJSON(record.made);

function findOrigin(
  versions: readonly VersionRecord[],
  { requestId, requestSha256 }: Origin,
): VersionRecord | undefined {
  const found = versions.find((version) => version.requestId === requestId);
  if (!found || found.requestSha256 === requestSha256) return found;
  const message = `request_id "${requestId}" has already made version ${found.version} from another request`;
  throw new AppError('ALREADY_EXISTS', message, { field: 'request_id' });
}
