// Conversions from the serving side: one thread for each, so that its memory is given back; one at a time, since a model takes four
// bytes a parameter.
import { createWorker, type WorkerClient } from '#lib/platform/worker-call.ts';
import type { ModelFacts } from '../model.ts';
import type { ConvertInput, ConvertMethods, ConvertProgress } from './convert.worker.ts';
import type { Files } from './files.ts';

export interface ConvertOptions {
  signal: AbortSignal;
  onProgress?: (progress: ConvertProgress) => void;
}

export interface Converter {
  /** Writes uploaded files as a directory in our own form. INVALID_ARGUMENT says what is wrong with them. */
  convert(input: ConvertInput, options: ConvertOptions): Promise<ModelFacts>;
  /** Looks at a directory in our own form; refuses in the same way. */
  inspect(files: Files, options: ConvertOptions): Promise<ModelFacts>;
}

export function createConverter(): Converter {
  let turn: Promise<unknown> = Promise.resolve();

  const inTurn = (use: (worker: WorkerClient<ConvertMethods>) => Promise<ModelFacts>, signal: AbortSignal) => {
    const mine = turn.then(async () => {
      signal.throwIfAborted();
      const worker = createWorker<ConvertMethods>(new URL('./convert.worker.ts', import.meta.url));
      try {
        return await use(worker);
      } finally {
        await worker.close();
      }
    });
    turn = mine.catch(() => undefined);
    return mine;
  };

  return {
    convert: (input, { signal, onProgress }) => {
      const report = (progress: unknown) => onProgress?.(progress as ConvertProgress);
      return inTurn((worker) => worker.call('convert', input, { signal, onProgress: report }), signal);
    },
    inspect: (files, { signal }) => inTurn((worker) => worker.call('inspect', files, { signal }), signal),
  };
}
