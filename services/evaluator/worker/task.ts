// What every task of an evaluation is given, and what it gives back.
import type { ArtifactRef, Score } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { DataSamplerServiceClient } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import type { ConfusionMatrix, Sample } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import type { Scorer } from '#lib/model/scorer.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import type { Subject } from '../subject.ts';

export interface TaskContext {
  objects: ObjectStore;
  dataSampler: Pick<DataSamplerServiceClient, 'streamBatches' | 'getDataset'>;
  signal: AbortSignal;
  subject: Subject;
  /** The subject on the engine. */
  scorer: Scorer;
  /** What it was trained on, as far as the registry knows. */
  trainedOn: ArtifactRef[];
  /** Throttled: tasks may report as often as they like. */
  report: (done: number, total: number, unit: string) => void;
}

export interface TaskOutcome {
  task: string;
  dataset?: ArtifactRef;
  scores?: Score[];
  confusion?: ConfusionMatrix;
  samples?: Sample[];
}
