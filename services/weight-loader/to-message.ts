// Records of the registry as the contract's messages.
import { Lineage, Model, ModelVersion } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { type ModelRecord, movesOf, targetOf, type VersionRecord } from './model.ts';

export const toVersionMessage = (name: string, { version, lineage, ...record }: VersionRecord): ModelVersion =>
  ModelVersion.fromPartial({ ...record, ref: { name, version }, lineage: Lineage.fromJSON(lineage) });

export const toModelMessage = (model: ModelRecord): Model =>
  Model.fromPartial({
    name: model.name,
    versions: model.versions.map((version) => toVersionMessage(model.name, version)),
    aliases: Object.keys(model.aliases).map((alias) => ({
      name: alias,
      version: targetOf(model, alias) ?? '',
      history: movesOf(model, alias).map(({ version, time, reason }) => ({ version, time, reason })),
    })),
  });
