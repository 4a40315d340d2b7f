// One pass over a split of a dataset, in stored order, as the batches lib/model takes.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { DataSamplerServiceClient, Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { fromInt32Bytes } from '#lib/contracts/int32.ts';
import type { LabelledBatch, TokenBatch } from '#lib/model/batches.ts';

export interface PassOptions {
  dataSampler: Pick<DataSamplerServiceClient, 'streamBatches'>;
  dataset: ArtifactRef;
  split: Split;
  rows: number;
  columns: number;
  signal: AbortSignal;
}

interface Pass {
  rows: number;
  columns: number;
  ids: Int32Array;
  targets: Int32Array;
  mask: Uint8Array | undefined;
  labels: Int32Array;
  lengths: Int32Array;
}

async function* pass({ dataSampler, dataset, split, rows, columns, signal }: PassOptions): AsyncGenerator<Pass> {
  const request = { mixture: [{ dataset, weight: 1 }], split, batchSize: rows, blockSize: columns, sequential: true };
  for await (const response of dataSampler.streamBatches(request, { signal })) {
    yield {
      rows: response.rows,
      columns: response.blockSize,
      ids: fromInt32Bytes(response.inputIds),
      targets: fromInt32Bytes(response.targetIds),
      mask: response.lossMask.length ? response.lossMask : undefined,
      labels: fromInt32Bytes(response.labels),
      lengths: fromInt32Bytes(response.lengths),
    };
  }
}

export async function* tokenBatches(options: PassOptions): AsyncGenerator<TokenBatch> {
  for await (const { rows, columns, ids, targets, mask } of pass(options)) yield { rows, columns, ids, targets, mask };
}

export async function* labelledBatches(options: PassOptions): AsyncGenerator<LabelledBatch> {
  for await (const { rows, columns, ids, lengths, labels } of pass(options))
    yield { rows, columns, ids, lengths, labels };
}

/** Every token of a split once, piece by piece, for baselines that count: the first one, then what follows each. */
export async function* tokensOf(options: Omit<PassOptions, 'rows' | 'columns'>): AsyncGenerator<Int32Array> {
  let isFirst = true;
  for await (const { ids, targets, lengths } of pass({ ...options, rows: 1, columns: 4096 })) {
    if (isFirst) yield ids.subarray(0, 1);
    isFirst = false;
    yield targets.subarray(0, lengths[0]);
  }
}
