// Scores pairs of texts in a worker thread, which keeps the last model loaded. One request after the other.
import { join } from 'node:path';
import type {
  ScoreRequest_Pair,
  ScoreResponse_LogLikelihood,
} from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import { resolveEngine } from '#lib/platform/artifacts.ts';
import { openArtifact } from '#lib/platform/manifest.ts';
import { withModelFiles } from '#lib/platform/model-files.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import { createWorker, type WorkerClient } from '#lib/platform/worker-call.ts';
import type { EngineOptions } from '#lib/tensor/engine.ts';
import type { ScoreMethods } from './score.worker.ts';

export interface ScoreInput {
  /** Of the model in the object store. */
  prefix: string;
  pairs: ScoreRequest_Pair[];
}

export interface TextScorer {
  score(input: ScoreInput, signal: AbortSignal): Promise<ScoreResponse_LogLikelihood[]>;
  close(): Promise<void>;
}

export interface TextScorerOptions {
  objects: ObjectStore;
  cacheDir: string;
  device: 'cpu' | 'cuda';
}

/** The thread starts with the first request: what is idle costs nothing. */
export function createTextScorer({ objects, cacheDir, device }: TextScorerOptions): TextScorer {
  let worker: Promise<WorkerClient<ScoreMethods>> | undefined;
  let loadedPrefix = '';
  let last: Promise<unknown> = Promise.resolve();

  async function open(): Promise<WorkerClient<ScoreMethods>> {
    const libraryDir = await resolveEngine(device, { cacheDir });
    const workerData: EngineOptions = { libraryDir, device, compileCacheDir: join(cacheDir, 'xla') };
    const client = createWorker<ScoreMethods>(new URL('./score.worker.ts', import.meta.url), { workerData });
    void client.ended.then(() => {
      worker = undefined;
      loadedPrefix = '';
    });
    return client;
  }

  async function scoreNow({ prefix, pairs }: ScoreInput, signal: AbortSignal): Promise<ScoreResponse_LogLikelihood[]> {
    signal.throwIfAborted();
    worker ??= open();
    const client = await worker.catch((error) => {
      worker = undefined;
      throw error;
    });
    if (loadedPrefix !== prefix) {
      await withModelFiles(await openArtifact(objects, prefix), (files) => client.call('load', files, { signal }));
      loadedPrefix = prefix;
    }
    return client.call('score', pairs, { signal });
  }

  return {
    score(input, signal) {
      const answer = last.then(() => scoreNow(input, signal));
      last = answer.catch(() => undefined);
      return answer;
    },
    close: async () => (await worker)?.close(),
  };
}
