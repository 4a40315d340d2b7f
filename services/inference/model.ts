// One loaded model: its thread, and the turns of those who ask it.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { ModelVersion } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { openArtifact } from '#lib/platform/manifest.ts';
import { withModelFiles } from '#lib/platform/model-files.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import { createTurns, type Turns } from '#lib/platform/turns.ts';
import { createWorker, type WorkerClient } from '#lib/platform/worker-call.ts';
import type { ModelMethods, ModelWorkerData } from './model.worker.ts';

export interface LoadedModel {
  readonly version: ModelVersion & { ref: ArtifactRef };
  readonly worker: WorkerClient<ModelMethods>;
  readonly turns: Turns;
  readonly sizeBytes: number;
  readonly loadSeconds: number;
  close(): Promise<void>;
}

export interface LoadModelOptions extends ModelWorkerData {
  version: ModelVersion & { ref: ArtifactRef };
  objects: ObjectStore;
  maxWaiting: number;
}

/** Checks the files, starts the thread, loads. */
export async function loadModel({ version, objects, threads, maxWaiting }: LoadModelOptions): Promise<LoadedModel> {
  const started = performance.now();
  const artifact = await openArtifact(objects, version.prefix);
  const workerData: ModelWorkerData = { threads };
  const worker = createWorker<ModelMethods>(new URL('./model.worker.ts', import.meta.url), { workerData });
  try {
    const { sizeBytes } = await withModelFiles(artifact, (files) => worker.call('load', files));
    const loadSeconds = (performance.now() - started) / 1000;
    return {
      version,
      worker,
      turns: createTurns({ maxWaiting, waitingFor: 'this model' }),
      sizeBytes,
      loadSeconds,
      close: () => unload(worker),
    };
  } catch (error) {
    await worker.close();
    throw error;
  }
}

const patienceMs = 2000;

/** A thread that does not come to its end in time is ended all the same. */
async function unload(worker: WorkerClient<ModelMethods>): Promise<void> {
  await worker.call('unload', undefined, { signal: AbortSignal.timeout(patienceMs) }).catch(() => undefined);
  await worker.close();
}
