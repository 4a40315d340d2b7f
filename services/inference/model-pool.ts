// Which models are loaded, and which version a name stands for. A promotion loads the new version first and then switches: requests under way
// finish on the version they began with, which is unloaded when the last of them has gone.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type {
  ModelVersion,
  WeightLoaderServiceClient,
} from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { hasCode, invalidArgument, notFound } from '#lib/platform/errors.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { LoadedModel } from './model.ts';

type PinnedVersion = ModelVersion & { ref: ArtifactRef };

export interface Lease extends Disposable {
  readonly model: LoadedModel;
}

export interface ModelPool {
  /** Loads what is not there; it stays until the lease is disposed, at least. */
  take(ref: ArtifactRef | undefined, signal: AbortSignal): Promise<Lease>;
  /** Names of this model may stand for other versions now. */
  refresh(name: string): Promise<void>;
  /** What is loaded, with the names that stand for it. */
  list(): { model: LoadedModel; aliases: string[] }[];
  close(): Promise<void>;
}

export interface ModelPoolOptions {
  weightLoader: Pick<WeightLoaderServiceClient, 'getModel'>;
  load: (version: PinnedVersion) => Promise<LoadedModel>;
  maxLoadedBytes: number;
  log: Logger;
}

interface Entry {
  readonly loading: Promise<LoadedModel>;
  model?: LoadedModel;
  users: number;
}

/** `spam@v3`, `spam@production`; `spam` alone where no version is named. */
const keyOf = ({ name, version }: ArtifactRef): string => (version ? `${name}@${version}` : name);

export function createModelPool({ weightLoader, load, maxLoadedBytes, log }: ModelPoolOptions): ModelPool {
  /** By pinned version, in order of use, the latest last. */
  const entries = new Map<string, Entry>();
  /** What was asked for (`spam@production`, `spam`) -> the version it stands for. */
  const names = new Map<string, PinnedVersion>();
  /** Counts refreshes: an answer of the registry from before one may be out of date. */
  let refreshes = 0;

  async function resolve(ref: ArtifactRef, signal?: AbortSignal): Promise<PinnedVersion> {
    const { version } = await weightLoader.getModel({ model: ref }, signal ? { signal } : {});
    if (!version?.ref) throw notFound('model', keyOf(ref));
    return { ...version, ref: version.ref };
  }

  async function versionOf(ref: ArtifactRef, signal: AbortSignal): Promise<PinnedVersion> {
    for (;;) {
      const known = names.get(keyOf(ref));
      if (known) return known;
      const before = refreshes;
      const version = await resolve(ref, signal);
      if (before === refreshes) names.set(keyOf(ref), version);
    }
  }

  function enter(version: PinnedVersion): Entry {
    const key = keyOf(version.ref);
    const entry = entries.get(key) ?? begin(key, version);
    entries.delete(key);
    entries.set(key, entry);
    entry.users += 1;
    return entry;
  }

  function begin(key: string, version: PinnedVersion): Entry {
    const entry: Entry = { loading: load(version), users: 0 };
    entry.loading.then(
      (model) => {
        entry.model = model;
        log.info({ model: key, seconds: model.loadSeconds, bytes: model.sizeBytes }, 'model loaded');
        void model.ended.then((error) => {
          log.error({ model: key, error }, 'the model thread ended');
          if (entries.get(key) === entry) entries.delete(key); // the next request loads it anew
        });
      },
      () => entries.get(key) === entry && entries.delete(key),
    );
    return entry;
  }

  const isServed = (key: string): boolean => [...names.values()].some(({ ref }) => keyOf(ref) === key);

  /** Unloads what nobody uses: what no name stands for any more at once, the rest by least recent use while there is too much. */
  function makeRoom(): void {
    let total = [...entries.values()].reduce((sum, { model }) => sum + (model?.sizeBytes ?? 0), 0);
    for (const [key, { users, model }] of entries) {
      if (users > 0 || !model || (isServed(key) && total <= maxLoadedBytes)) continue;
      entries.delete(key);
      total -= model.sizeBytes;
      void model.close().catch((error) => log.warn({ model: key, error }, 'a model could not be unloaded'));
      log.info({ model: key }, 'model unloaded');
    }
  }

  async function lease(version: PinnedVersion): Promise<Lease> {
    const entry = enter(version);
    let isOver = false;
    const release = (): void => {
      if (isOver) return;
      isOver = true;
      entry.users -= 1;
      makeRoom();
    };
    try {
      return { model: await entry.loading, [Symbol.dispose]: release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async function switchTo(asked: string, ref: ArtifactRef, current: PinnedVersion): Promise<void> {
    const next = await resolve(ref).catch((error) => {
      if (hasCode(error, 'NOT_FOUND')) return undefined;
      throw error;
    });
    if (!next) {
      names.delete(asked);
      return;
    }
    if (keyOf(next.ref) === keyOf(current.ref)) return;
    const isLoaded = entries.has(keyOf(current.ref));
    using _ = isLoaded ? await lease(next) : undefined;
    names.set(asked, next);
    log.info({ asked, from: keyOf(current.ref), to: keyOf(next.ref) }, 'version switched');
  }

  return {
    async take(ref, signal) {
      if (!ref?.name) throw invalidArgument('model', 'is required');
      return lease(await versionOf(ref, signal));
    },
    async refresh(name) {
      refreshes += 1;
      const concerned = [...names].filter(([, version]) => version.ref.name === name);
      for (const [asked, version] of concerned) {
        const ref = { name, version: asked.slice(name.length + 1) };
        await switchTo(asked, ref, version);
      }
      makeRoom();
    },
    list: () =>
      [...entries].flatMap(([key, { model }]) => {
        const aliases = [...names].filter(([, { ref }]) => keyOf(ref) === key).map(([asked]) => asked);
        return model ? [{ model, aliases }] : [];
      }),
    async close() {
      const loading = [...entries.values()].map((entry) =>
        entry.loading.then((model) => model.close()).catch(() => undefined),
      );
      entries.clear();
      await Promise.all(loading);
    },
  };
}

/** @throws {AppError} INVALID_ARGUMENT where the model cannot do what is asked of it */
export function mustBe(kind: 'language model' | 'classifier', { version }: LoadedModel): void {
  const isClassifier = version.labels.length > 0;
  if (isClassifier === (kind === 'classifier')) return;
  const is = isClassifier ? `a classifier (${version.labels.join(', ')})` : 'a language model';
  throw invalidArgument('model', `"${version.ref.name}" is ${is}, and a ${kind} is needed`);
}
