// A model that is not registered yet but is in the catalogue is fetched and imported on first use: `strata chat smollm2-135m-instruct`.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { catalogueEntry } from '#lib/platform/artifacts.ts';
import { hasCode } from '#lib/platform/errors.ts';
import type { Context } from '../context.ts';
import { fetchFromCatalogue } from './fetch-from-catalogue.ts';
import { importModel } from './import-model.ts';

/** @throws {AppError} NOT_FOUND when neither the registry nor the catalogue knows the model */
export async function ensureModel(context: Context, model: ArtifactRef): Promise<ArtifactRef> {
  const { weightLoader } = await context.services();
  try {
    await weightLoader.getModel({ model });
    return model;
  } catch (error) {
    const known = catalogueEntry(model.name)?.kind === 'model';
    if (!known || !hasCode(error, 'NOT_FOUND')) throw error;
  }
  const { files } = await fetchFromCatalogue(context, model.name);
  const [path = ''] = Object.values(files);
  const imported = await importModel(context, { name: model.name, path, requestId: `catalogue-${model.name}` });
  return imported.ref ?? model;
}
