// GET /v1/models: what the registry has.
import type {
  Model,
  ModelVersion,
  WeightLoaderServiceClient,
} from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { notFound } from '#lib/platform/errors.ts';
import type { Sees } from '../edge/rule.ts';
import { toModelRef } from './sampling.ts';

type Registry = Pick<WeightLoaderServiceClient, 'listModels' | 'getModel'>;

/** `chat` is not OpenAI's: whether the model has a form for messages. */
const toCard = (id: string, { createTime, chat, labels }: ModelVersion) => ({
  id,
  object: 'model' as const,
  created: Math.floor(Date.parse(createTime) / 1000),
  owned_by: 'strata',
  chat: chat && labels.length === 0,
});

/** The version that a name stands for: the one in production, or else the newest. */
function servedOf({ versions, aliases }: Model): ModelVersion | undefined {
  const production = aliases.find(({ name }) => name === 'production')?.version;
  return versions.find(({ ref }) => ref?.version === production) ?? versions.at(-1);
}

/** `sees`: of a tenant; without it everything is listed. */
export async function listModels(registry: Registry, signal: AbortSignal, sees?: Sees) {
  const { models } = await registry.listModels({}, { signal });
  const visible = sees ? models.filter(({ name }) => sees.name(name)) : models;
  const data = visible.flatMap((model) => {
    const served = servedOf(model);
    return served ? [toCard(model.name, served)] : [];
  });
  return { object: 'list' as const, data };
}

export async function getModel(registry: Registry, id: string, signal: AbortSignal) {
  const { version } = await registry.getModel({ model: toModelRef(id) }, { signal });
  if (!version) throw notFound('model', id);
  return toCard(id, version);
}
