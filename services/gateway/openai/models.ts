// GET /v1/models: what the registry has.
import type {
  Model,
  ModelVersion,
  WeightLoaderServiceClient,
} from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { notFound } from '#lib/platform/errors.ts';
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

export async function listModels(registry: Registry, signal: AbortSignal) {
  const { models } = await registry.listModels({}, { signal });
  const data = models.flatMap((model) => {
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
