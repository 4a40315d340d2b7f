// Checks of the fields that say how a text is sampled. Every wrong one at once.
import type { SamplingParameters } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { check } from '#lib/platform/check.ts';

const mostStops = 16;
const mostLogprobs = 20;

/** @param contextLength of the model, in tokens */
export function checkSampling(sampling: SamplingParameters | undefined, contextLength: number): void {
  if (!sampling) return;
  const { maxTokens, temperature, topP, stop, logprobs } = sampling;
  check({
    'sampling.max_tokens':
      maxTokens !== undefined &&
      (maxTokens === 0
        ? 'must be at least 1; leave it out for as many as the context holds'
        : maxTokens > contextLength &&
          `must be at most the model's context of ${contextLength} tokens; it is ${maxTokens}`),
    'sampling.temperature':
      temperature !== undefined &&
      !(temperature >= 0 && temperature <= 100) &&
      `must be between 0 and 100; it is ${temperature}`,
    'sampling.top_p': !(topP >= 0 && topP <= 1) && `must be between 0 and 1; it is ${topP}`,
    'sampling.stop':
      stop.length > mostStops
        ? `at most ${mostStops} texts; there are ${stop.length}`
        : stop.includes('') && 'must not be empty texts',
    'sampling.logprobs': logprobs > mostLogprobs && `must be at most ${mostLogprobs}; it is ${logprobs}`,
  });
}
