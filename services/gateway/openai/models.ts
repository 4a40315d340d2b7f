// GET /v1/models: what the registry has.
import type { Model, WeightLoaderServiceClient } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { AppError } from '#lib/platform/errors.ts';
import { toModelRef } from './sampling.ts';

type Registry = Pick<WeightLoaderServiceClient, 'listModels' | 'getModel'>;

const toCard = (id: string, createTime: string | undefined) => ({
  id,
  object: 'model' as const,
  created: createTime ? Math.floor(Date.parse(createTime) / 1000) : 0,
  owned_by: 'strata',
});

const newestOf = ({ versions }: Model) => versions.at(-1);

export async function listModels(registry: Registry, signal: AbortSignal) {
  const { models } = await registry.listModels({}, { signal });
  return { object: 'list' as const, data: models.map((model) => toCard(model.name, newestOf(model)?.createTime)) };
}

export async function getModel(registry: Registry, id: string, signal: AbortSignal) {
  const { version } = await registry.getModel({ model: toModelRef(id) }, { signal });
  if (!version) throw new AppError('NOT_FOUND', `model "${id}" does not exist`);
  return toCard(id, version.createTime);
}
