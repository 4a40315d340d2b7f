// The threads that models run in. One whose model was unloaded waits for the next: a promotion finds its thread started, and none is left
// behind, which would cost a little memory each time (docs/decisions/0019-heap-of-services.md).
import type { AppError } from '#lib/platform/errors.ts';
import { createWorker, type WorkerClient } from '#lib/platform/worker-call.ts';
import type { ModelMethods, ModelWorkerData } from './model.worker.ts';

export type ModelThread = WorkerClient<ModelMethods>;

export interface ModelThreads {
  /** A thread without a model. `onEnd` is told where it ends by itself. */
  take(onEnd: (error: AppError) => void): ModelThread;
  /** Unloads the model. One thread is kept; one that does not unload in time is ended. */
  giveBack(thread: ModelThread): Promise<void>;
  end(thread: ModelThread): Promise<void>;
  /** Ends the one that is kept, and those that are given back from now on. */
  close(): Promise<void>;
}

const patienceMs = 2000;

export function createModelThreads(workerData: ModelWorkerData): ModelThreads {
  const onEnds = new Map<ModelThread, (error: AppError) => void>();
  let kept: ModelThread | undefined;
  let isClosed = false;

  function start(): ModelThread {
    const thread: ModelThread = createWorker(new URL('./model.worker.ts', import.meta.url), { workerData });
    void thread.ended.then((error) => {
      if (kept === thread) kept = undefined;
      if (error) onEnds.get(thread)?.(error);
      onEnds.delete(thread);
    });
    return thread;
  }

  const end = (thread: ModelThread): Promise<void> => {
    onEnds.delete(thread);
    return thread.close();
  };

  return {
    take(onEnd) {
      const thread = kept ?? start();
      kept = undefined;
      onEnds.set(thread, onEnd);
      return thread;
    },
    async giveBack(thread) {
      onEnds.delete(thread);
      const isUnloaded = await thread.call('unload', undefined, { signal: AbortSignal.timeout(patienceMs) }).then(
        () => true,
        () => false,
      );
      if (isUnloaded && !kept && !isClosed) kept = thread;
      else await end(thread);
    },
    end,
    async close() {
      isClosed = true;
      if (kept) await end(kept);
    },
  };
}
