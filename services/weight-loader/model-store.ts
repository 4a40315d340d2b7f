// Models in the key-value store: every change is a compare-and-set, so that two promotions at once are two moves, not one lost.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { keys } from '#lib/contracts/keys.ts';
import { failedPrecondition, notFound } from '#lib/platform/errors.ts';
import { type KeyValue, update } from '#lib/platform/key-value.ts';
import { ModelMoveError, type ModelRecord, newModel, resolveVersion, targetOf, type VersionRecord } from './model.ts';

export interface ModelStore {
  find(name: string): Promise<ModelRecord | undefined>;
  /** Models that have a version, by name. */
  list(): Promise<ModelRecord[]>;
  /** NOT_FOUND names what there is instead. */
  resolve(ref: ArtifactRef): Promise<{ model: ModelRecord; version: VersionRecord }>;
  /** Changes a model, which comes to be where it was not there. */
  change(name: string, move: (model: ModelRecord) => ModelRecord): Promise<ModelRecord>;
  /** The same, where it has to be there. A move that is not made is FAILED_PRECONDITION. */
  changeKnown(name: string, move: (model: ModelRecord) => ModelRecord): Promise<ModelRecord>;
}

export const createModelStore = (state: KeyValue): ModelStore => {
  const find: ModelStore['find'] = async (name) => (await state.get<ModelRecord>(keys.model(name)))?.value;

  const changeWith = async (name: string, move: (model: ModelRecord | undefined) => ModelRecord) => {
    let moved: ModelRecord | undefined;
    await update<ModelRecord>(state, keys.model(name), (model) => {
      moved = move(model);
      return moved === model ? undefined : moved;
    });
    return moved as ModelRecord;
  };

  return {
    find,
    list: async () => {
      const entries = await state.list<ModelRecord>(keys.models);
      return entries.map(({ value }) => value).filter(({ versions }) => versions.length > 0);
    },
    resolve: async ({ name, version }) => {
      const model = await find(name);
      if (!model?.versions.length) throw unknownModel(name);
      return { model, version: resolveVersion(model, version) ?? raise(unknownVersion(model, version)) };
    },
    change: (name, move) => changeWith(name, (model) => move(model ?? newModel(name))),
    changeKnown: async (name, move) => {
      try {
        return await changeWith(name, (model) => move(model?.versions.length ? model : raise(unknownModel(name))));
      } catch (error) {
        if (error instanceof ModelMoveError) throw failedPrecondition(error.message, { cause: error });
        throw error;
      }
    },
  };
};

const raise = (error: Error): never => {
  throw error;
};

const unknownModel = (name: string) => notFound('model', name, '`strata model list` shows what there is');

export function unknownVersion(model: ModelRecord, version: string) {
  const aliases = Object.keys(model.aliases).map((alias) => `${alias} (${targetOf(model, alias)})`);
  const there = [...model.versions.map((known) => known.version), ...aliases];
  return notFound('model version', `${model.name}@${version}`, `there are ${there.join(', ')}`);
}
