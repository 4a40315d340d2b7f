// A generation, observed: a span by OpenTelemetry's conventions for generative AI, and the numbers of metrics.ts.
import { FinishReason, type GenerateResponse } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { isAbortError } from '#lib/platform/errors.ts';
import type { Tracing } from '#lib/platform/telemetry/tracing.ts';
import type { InferenceMetrics } from './metrics.ts';
import type { LoadedModel } from './model.ts';
import type { WorkerSampling } from './model.worker.ts';
import type { Prompt } from './prompt.ts';

export interface AnswerOptions {
  /** As the GenAI conventions call it. */
  operation: 'chat' | 'text_completion';
  model: LoadedModel;
  prompt: Prompt;
  sampling: WorkerSampling;
  signal: AbortSignal;
  /** Is told how far it has come. */
  onTokens?: (tokens: { promptTokens: number; completionTokens: number }) => void;
}

export type Answer = (options: AnswerOptions) => AsyncGenerator<GenerateResponse>;

export interface ObserveOptions {
  metrics: InferenceMetrics;
  tracing: Tracing;
}

export const observed = (answer: Answer, { metrics, tracing }: ObserveOptions): Answer =>
  async function* (options) {
    const { model } = options;
    const began = performance.now();
    const secondsSoFar = (): number => (performance.now() - began) / 1000;
    let secondsToFirstToken: number | undefined;
    let tokens = { promptTokens: 0, completionTokens: 0 };
    let finish = 'aborted';
    let failure: unknown;
    const span = tracing.begin(`${options.operation} ${model.version.ref.name}`, { attributes: requestOf(options) });
    const onTokens = (counted: typeof tokens): void => {
      tokens = counted;
      metrics.cacheUsed(model, (counted.promptTokens + counted.completionTokens) / model.version.contextLength);
    };
    try {
      for await (const response of answer({ ...options, onTokens })) {
        secondsToFirstToken ??= secondsSoFar();
        finish = finishes[response.finishReason] ?? finish;
        yield response;
      }
    } catch (error) {
      failure = error;
      if (!isAbortError(error) && !options.signal.aborted) finish = 'failed';
      throw error;
    } finally {
      metrics.cacheUsed(model, 0);
      metrics.generated({ model, ...tokens, seconds: secondsSoFar(), secondsToFirstToken, finish });
      span?.set({
        'gen_ai.usage.input_tokens': tokens.promptTokens,
        'gen_ai.usage.output_tokens': tokens.completionTokens,
        'gen_ai.response.finish_reasons': [finish],
        'gen_ai.response.time_to_first_token': secondsToFirstToken,
      });
      span?.end(failure);
    }
  };

const finishes: Partial<Record<FinishReason, string>> = {
  [FinishReason.FINISH_REASON_STOP]: 'stop',
  [FinishReason.FINISH_REASON_LENGTH]: 'length',
};

/** https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/; never the texts themselves. */
const requestOf = ({ operation, model, sampling }: AnswerOptions) => ({
  'gen_ai.operation.name': operation,
  'gen_ai.provider.name': 'strata',
  'gen_ai.request.model': model.version.ref.name,
  'gen_ai.response.model': `${model.version.ref.name}@${model.version.ref.version}`,
  'gen_ai.request.max_tokens': sampling.maxTokens,
  'gen_ai.request.temperature': sampling.temperature,
  'gen_ai.request.top_p': sampling.topP,
  'gen_ai.request.seed': sampling.seed,
});
