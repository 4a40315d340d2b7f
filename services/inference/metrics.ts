// What inference tells, under names that those who know vLLM find at once. A model is known by its name: its versions come and go.
import type { Metrics } from '#lib/platform/telemetry/metrics.ts';
import type { LoadedModel } from './model.ts';
import type { ModelPool } from './model-pool.ts';

export interface InferenceMetrics {
  /** A text that was generated, or broke off. */
  generated(generation: Generation): void;
  loaded(model: Pick<LoadedModel, 'version' | 'loadSeconds'>): void;
  /** Share of its context that the running request of a model fills; 0: none runs. */
  cacheUsed(model: LoadedModel, share: number): void;
}

export interface Generation {
  model: LoadedModel;
  promptTokens: number;
  completionTokens: number;
  /** Since the request came, its wait for a turn included. */
  seconds: number;
  /** Undefined where no token came. */
  secondsToFirstToken: number | undefined;
  /** `stop`, `length`, or `aborted`, `failed`. */
  finish: string;
}

const tokenBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5] as const;
const firstTokenBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;
const requestBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300] as const;
const labels = ['model'] as const;

export function createInferenceMetrics(metrics: Metrics, pool: () => Pick<ModelPool, 'list'>): InferenceMetrics {
  const histogram = (name: string, help: string, buckets: readonly number[]) =>
    metrics.histogram<'model'>(name, { help, labels, buckets });
  const counter = (name: string, help: string) => metrics.counter<'model'>(name, { help, labels });
  const ofLoaded = (name: string, help: string, read: (model: LoadedModel) => number): void =>
    metrics.observed<'model' | 'version'>(name, {
      help,
      labels: ['model', 'version'],
      read: () =>
        pool()
          .list()
          .map(({ model }) => [refOf(model), read(model)] as const),
    });

  const firstToken = histogram(
    'strata_inference_time_to_first_token_seconds',
    'From the request to its first token, waiting included.',
    firstTokenBuckets,
  );
  const perToken = histogram(
    'strata_inference_time_per_output_token_seconds',
    'Between tokens after the first, mean of a request.',
    tokenBuckets,
  );
  const request = histogram('strata_inference_request_seconds', 'From the request to its last token.', requestBuckets);
  const promptTokens = counter('strata_inference_prompt_tokens_total', 'Tokens of prompts.');
  const generationTokens = counter('strata_inference_generation_tokens_total', 'Tokens generated.');
  const requests = metrics.counter('strata_inference_requests_total', {
    help: 'Texts generated, by how they ended: stop, length, aborted, failed.',
    labels: ['model', 'finish'],
  });
  const cache = metrics.gauge('strata_inference_cache_used_ratio', {
    help: 'Share of its context that the running request of a model fills.',
    labels,
  });
  const loads = histogram('strata_inference_model_load_seconds', 'How long models took to load.', requestBuckets);
  metrics.observed('strata_inference_models_loaded', {
    help: 'Versions of models in memory.',
    read: () => [[{}, pool().list().length]],
  });
  ofLoaded(
    'strata_inference_model_memory_bytes',
    'Memory of the weights of a loaded model.',
    ({ sizeBytes }) => sizeBytes,
  );
  ofLoaded('strata_inference_requests_running', 'Requests that a model computes.', ({ turns }) => turns.running);
  ofLoaded('strata_inference_requests_waiting', 'Requests that wait for their turn.', ({ turns }) => turns.waiting);

  return {
    generated({ model: { version }, ...of }) {
      const model = { model: version.ref.name };
      promptTokens.add(model, of.promptTokens);
      generationTokens.add(model, of.completionTokens);
      requests.add({ ...model, finish: of.finish });
      request.observe(model, of.seconds);
      if (of.secondsToFirstToken === undefined) return;
      firstToken.observe(model, of.secondsToFirstToken);
      const afterFirst = of.completionTokens - 1;
      if (afterFirst > 0) perToken.observe(model, (of.seconds - of.secondsToFirstToken) / afterFirst);
    },
    loaded: ({ version, loadSeconds }) => loads.observe({ model: version.ref.name }, loadSeconds),
    cacheUsed: ({ version }, share) => cache.set({ model: version.ref.name }, share),
  };
}

const refOf = ({ version: { ref } }: LoadedModel) => ({ model: ref.name, version: ref.version });
