// The end of a run: its result as a Hugging Face directory under runs/<id>/model, registered with its lineage. Doing it again does no harm.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { Objective } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import type { WeightLoaderServiceClient } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { objectKeys } from '#lib/contracts/keys.ts';
import type { ModelConfig } from '#lib/model/config.ts';
import { configToJson } from '#lib/model/config-json.ts';
import { encodeSafetensors } from '#lib/model/formats/write-safetensors.ts';
import type { Weights } from '#lib/model/weights.ts';
import { AppError, hasCode } from '#lib/platform/errors.ts';
import type { DeadlineOption } from '#lib/platform/grpc-client.ts';
import { openArtifact, writeArtifact } from '#lib/platform/manifest.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import type { Tokenizer } from '#lib/text/tokenizer.ts';
import type { Run } from '../run.ts';

export interface PublishOptions {
  run: Run;
  config: ModelConfig;
  weights: Weights;
  tokenizer: Tokenizer;
  tokenizerFiles: Record<string, string>;
  /** Of which step the weights are. */
  step: number;
  codeVersion: string;
  objects: ObjectStore;
  weightLoader: Pick<WeightLoaderServiceClient<DeadlineOption>, 'registerModel'>;
}

export const publishModel = async (options: PublishOptions): Promise<ArtifactRef> => {
  const { run, objects, weightLoader, codeVersion } = options;
  const { id, spec } = run;
  const prefix = objectKeys.runModel(id);
  if (!(await isWhole(objects, prefix))) await writeModel(prefix, options);
  const lineage = {
    runId: id,
    ...(spec.start?.$case === 'base' && { base: spec.start.value }),
    datasets: spec.mixture.flatMap(({ dataset }) => dataset ?? []),
    codeVersion,
    seed: spec.seed,
  };
  const request = { requestId: id, name: spec.outputModel, sourcePrefix: prefix, lineage };
  const { version } = await weightLoader.registerModel(request, { deadlineMs: registerDeadlineMs });
  if (!version?.ref) throw new AppError('INTERNAL', 'the weight loader registered the model without saying as what');
  return version.ref;
};

/** It reads, checks and copies every part. */
const registerDeadlineMs = 10 * 60_000;

/** An earlier attempt may have got as far as this. */
const isWhole = async (objects: ObjectStore, prefix: string): Promise<boolean> => {
  try {
    await (await openArtifact(objects, prefix)).verify();
    return true;
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND', 'DATA_LOSS')) return false;
    throw error;
  }
};

const writeModel = async (
  prefix: string,
  { run, config, weights, tokenizer, tokenizerFiles, step, objects }: PublishOptions,
): Promise<void> => {
  await objects.deletePrefix(prefix);
  await writeArtifact(objects, prefix, {
    kind: 'model',
    name: run.spec.outputModel,
    version: '',
    created_at: new Date().toISOString(),
    metadata: { run: run.id, step },
    parts: {
      'config.json': toJsonBytes(configToJson(config)),
      'model.safetensors': toBody(weights),
      ...toParts(tokenizerFiles),
      'generation_config.json': toJsonBytes(generationConfig(run, tokenizer)),
    },
  });
};

/** An assistant stops at the end of its turn as well as at the end of a text. */
const generationConfig = ({ spec }: Run, { bosId, eosId, specialTokens }: Tokenizer) => {
  const endOfTurn = spec.objective === Objective.OBJECTIVE_INSTRUCT ? specialTokens.get('<|im_end|>') : undefined;
  const stops = [...new Set([eosId, endOfTurn])].filter((id) => id !== undefined);
  return {
    ...(bosId !== undefined && { bos_token_id: bosId }),
    ...(stops.length > 0 && { eos_token_id: stops.length === 1 ? stops[0] : stops }),
  };
};

const toParts = (texts: Record<string, string>): Record<string, Uint8Array> =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)]));

const toJsonBytes = (value: unknown): Uint8Array => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);

async function* toBody(weights: Weights): AsyncGenerator<Uint8Array> {
  yield* encodeSafetensors(weights);
}
