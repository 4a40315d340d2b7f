// OpenAI's sampling fields as the inference service's.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import {
  type DeepPartial,
  FinishReason,
  type SamplingParameters,
  type Usage,
} from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import type { ChatBody, CompletionBody } from './schemas.ts';

/** `name`, `name@v2` or `name@alias`, as the command line has it. */
export function toModelRef(model: string): ArtifactRef {
  const [name = '', version = '', ...rest] = model.split('@');
  if (!name || rest.length) throw invalidArgument('model', `"${model}" is no model: write name, name@v2 or name@alias`);
  return { name, version };
}

export interface SamplingChoices {
  maxTokens: number | undefined;
  logprobs: number;
}

export function toSampling(
  { temperature, top_p, top_k, seed, stop }: CompletionBody | ChatBody,
  { maxTokens, logprobs }: SamplingChoices,
): DeepPartial<SamplingParameters> {
  return {
    ...(maxTokens !== undefined && { maxTokens }),
    ...(typeof seed === 'number' && { seed: Math.abs(seed) }),
    temperature: temperature ?? 1,
    topP: top_p ?? 0,
    topK: top_k ?? 0,
    stop: typeof stop === 'string' ? [stop] : (stop ?? []),
    logprobs,
  };
}

export const toFinishReason = (reason: FinishReason): 'stop' | 'length' | null => {
  if (reason === FinishReason.FINISH_REASON_STOP) return 'stop';
  return reason === FinishReason.FINISH_REASON_LENGTH ? 'length' : null;
};

export const toUsage = (usage: Pick<Usage, 'promptTokens' | 'completionTokens'> | undefined) => {
  const { promptTokens = 0, completionTokens = 0 } = usage ?? {};
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
};
