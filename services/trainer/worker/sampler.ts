// The two streams a run reads from the data sampler. Which samples come is a function of the run and the position alone, so a broken
// connection is mended by asking again from where it broke.
import { setTimeout as delay } from 'node:timers/promises';
import {
  type DataSamplerServiceClient,
  Split,
  type StreamBatchesRequest,
  type StreamBatchesResponse,
} from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { type Hyperparameters, Objective } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { AppError, hasCode } from '#lib/platform/errors.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { Run } from '../run.ts';
import { type CountedBatch, toBatch } from './batches.ts';
import { prefetch } from './prefetch.ts';

export interface Sampler {
  /** Micro-batches without end, from the first one of the step after `step`. Read ahead while a step computes. */
  training(step: number): AsyncGenerator<CountedBatch>;
  /** One pass over the validation parts, or as much of it as the run wants. */
  validation(): AsyncGenerator<CountedBatch>;
}

export interface SamplerOptions {
  client: Pick<DataSamplerServiceClient, 'streamBatches'>;
  run: Run;
  /** Ends the training stream; an evaluation that has begun goes through. */
  stop: AbortSignal;
  log: Logger;
  /** How long the data sampler may be away. */
  patienceMs: number;
}

const readAhead = 8;

export const createSampler = ({ client, run, stop, log, patienceMs }: SamplerOptions): Sampler => {
  const { spec, inputs } = run;
  const { batchSize, blockSize, accumulationSteps, evalBatches } = spec.hyperparameters as Hyperparameters;
  const shape = { labelled: spec.objective === Objective.OBJECTIVE_CLASSIFY };

  /** `count` batches (0: as many as there are) from sample `first` on. */
  async function* stream(
    request: Partial<StreamBatchesRequest>,
    first: number,
    signal?: AbortSignal,
  ): AsyncGenerator<StreamBatchesResponse> {
    const options = signal ? { signal } : {};
    let next = first;
    let awaySince = 0;
    for (;;) {
      try {
        const maxBatches = request.maxBatches ? request.maxBatches - (next - first) / batchSize : 0;
        const asked = { ...request, maxBatches, batchSize, blockSize, startSample: next };
        for await (const response of client.streamBatches(asked, options)) {
          if (response.firstSample !== next) throw outOfStep(next, response.firstSample);
          next += batchSize;
          awaySince = 0;
          yield response;
        }
        return;
      } catch (error) {
        awaySince ||= Date.now();
        const passing = hasCode(error, 'UNAVAILABLE', 'ABORTED', 'CANCELLED') && !signal?.aborted;
        if (!passing || Date.now() - awaySince > patienceMs) throw error;
        log.warn({ error, sample: next }, 'the data sampler is away; asking again');
        await delay(500, undefined, options);
      }
    }
  }

  return {
    async *training(step) {
      const request = { mixture: spec.mixture, split: Split.SPLIT_TRAIN, seed: spec.seed };
      const responses = stream(request, step * batchSize * accumulationSteps, stop);
      for await (const response of prefetch(responses, readAhead)) yield toBatch(response, shape);
    },
    async *validation() {
      const maxBatches = Math.ceil(evalBatches / inputs.validated.length);
      for (const dataset of inputs.validated) {
        const request = { mixture: [{ dataset, weight: 1 }], split: Split.SPLIT_VALIDATION };
        const responses = stream({ ...request, sequential: true, maxBatches }, 0);
        for await (const response of prefetch(responses, readAhead)) yield toBatch(response, shape);
      }
    },
  };
};

const outOfStep = (wanted: number, got: number): AppError =>
  new AppError('INTERNAL', `the data sampler answered from sample ${got} on where ${wanted} was asked for`);
