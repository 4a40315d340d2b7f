// Every service that the edge speaks for.
import { DataSamplerServiceDefinition } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { EvaluatorServiceDefinition } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import { InferenceServiceDefinition } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { OrchestratorServiceDefinition } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { TokenizerServiceDefinition } from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
import { TrainerServiceDefinition } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import type { ServiceName } from '#lib/contracts/services.ts';

export const definitions = {
  tokenizer: TokenizerServiceDefinition,
  'data-sampler': DataSamplerServiceDefinition,
  trainer: TrainerServiceDefinition,
  evaluator: EvaluatorServiceDefinition,
  'weight-loader': WeightLoaderServiceDefinition,
  inference: InferenceServiceDefinition,
  orchestrator: OrchestratorServiceDefinition,
} as const satisfies Record<Exclude<ServiceName, 'gateway'>, unknown>;

export type Definitions = typeof definitions;
export type EdgeService = keyof Definitions;
