// TrainTokenizer: one training at a time, each in a thread of its own; progress, then the stored tokenizer.
import type { Progress } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { TrainTokenizerRequest } from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import { createProgressMeter, type ProgressMeter } from '#lib/platform/progress-meter.ts';
import { createQueue } from '#lib/platform/queue.ts';
import { createTurns } from '#lib/platform/turns.ts';
import { createWorker, type WorkerClient } from '#lib/platform/worker-call.ts';
import { originOf, sizesOf, toTrainOptions } from './check-training.ts';
import type { MadeTokenizer, Registry, StoredTokenizer } from './registry.ts';
import type { TrainMethods } from './train.worker.ts';

export type TrainingEvent = { kind: 'progress'; progress: Progress } | { kind: 'made'; tokenizer: StoredTokenizer };

export type Training = (request: TrainTokenizerRequest, signal: AbortSignal) => AsyncIterable<TrainingEvent>;

export const createTraining = ({ objects, registry }: { objects: ObjectStore; registry: Registry }): Training => {
  const turns = createTurns();

  return async function* train(request, signal) {
    const options = toTrainOptions(request);
    const origin = originOf(request);
    const known = await registry.findMade(request.name, origin);
    if (known) return yield { kind: 'made', tokenizer: known };
    const sizes = await sizesOf(request.sources, objects);

    const events = createQueue<TrainingEvent>();
    const meter = createProgressMeter((progress) => events.push({ kind: 'progress', progress }));
    const work = async (): Promise<void> => {
      using _turn = await turns.take(signal, () => meter.report('waiting', 0, 0, 'trainings'));
      // The same request may have been the one before.
      const earlier = await registry.findMade(request.name, origin);
      const tokenizer = earlier ?? (await registry.add(request.name, origin, await inThread()));
      events.push({ kind: 'made', tokenizer });
      events.end();
    };
    const inThread = async (): Promise<MadeTokenizer> => {
      const worker = createWorker<TrainMethods>(new URL('./train.worker.ts', import.meta.url));
      const close = () => void worker.close();
      signal.addEventListener('abort', close, { once: true });
      try {
        await worker.call('begin', options, { signal });
        await readSources({ worker, request, sizes, objects, meter, signal });
        const onProgress = (at: unknown) => meter.report('merging', ...(at as [number, number]), 'tokens');
        return { ...(await worker.call('finish', null, { signal, onProgress })), sources: request.sources };
      } finally {
        signal.removeEventListener('abort', close);
        await worker.close();
      }
    };
    work().catch(events.fail);
    yield* events;
  };
};

interface ReadSourcesOptions {
  worker: WorkerClient<TrainMethods>;
  request: TrainTokenizerRequest;
  sizes: number[];
  objects: ObjectStore;
  meter: ProgressMeter;
  signal: AbortSignal;
}

const readSources = async (options: ReadSourcesOptions): Promise<void> => {
  const { worker, request, sizes, objects, meter, signal } = options;
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let before = 0;
  for (const [i, { key, sha256 }] of request.sources.entries()) {
    const onProgress = (bytes: unknown) => meter.report('reading', before + (bytes as number), total, 'bytes');
    await objects.withLocalFile(key, (path) =>
      worker.call('addFile', { path, sha256, field: `sources[${i}]` }, { signal, onProgress }),
    );
    before += sizes[i] ?? 0;
  }
};
