// One loaded model: its thread, and the turns of those who ask it.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { ModelVersion } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import type { AppError } from '#lib/platform/errors.ts';
import { openArtifact } from '#lib/platform/manifest.ts';
import { withModelFiles } from '#lib/platform/model-files.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import { createTurns, type Turns } from '#lib/platform/turns.ts';
import type { ModelThread, ModelThreads } from './model-threads.ts';

export interface LoadedModel {
  readonly version: ModelVersion & { ref: ArtifactRef };
  readonly worker: ModelThread;
  readonly turns: Turns;
  readonly sizeBytes: number;
  readonly loadSeconds: number;
  /** Resolves where its thread ends before it is closed. */
  readonly ended: Promise<AppError>;
  close(): Promise<void>;
}

export interface LoadModelOptions {
  version: ModelVersion & { ref: ArtifactRef };
  objects: ObjectStore;
  threads: ModelThreads;
  maxWaiting: number;
}

/** Checks the files, takes a thread, loads. */
export async function loadModel({ version, objects, threads, maxWaiting }: LoadModelOptions): Promise<LoadedModel> {
  const started = performance.now();
  const artifact = await openArtifact(objects, version.prefix);
  const { promise: ended, resolve: onEnd } = Promise.withResolvers<AppError>();
  const worker = threads.take(onEnd);
  try {
    const { sizeBytes } = await withModelFiles(artifact, (files) => worker.call('load', files));
    const loadSeconds = (performance.now() - started) / 1000;
    return {
      version,
      worker,
      turns: createTurns({ maxWaiting, waitingFor: 'this model' }),
      sizeBytes,
      loadSeconds,
      ended,
      close: () => threads.giveBack(worker),
    };
  } catch (error) {
    await threads.end(worker);
    throw error;
  }
}
