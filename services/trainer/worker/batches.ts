// Batches as they come from the data sampler, as lib/model wants them.
import type { StreamBatchesResponse } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { fromInt32Bytes } from '#lib/contracts/int32.ts';
import type { Batch } from '#lib/model/batches.ts';

/** A batch, and how many real tokens it holds. */
export interface CountedBatch {
  batch: Batch;
  tokens: number;
}

/** `labelled`: rows are judged as wholes, by their class. */
export const toBatch = (response: StreamBatchesResponse, { labelled }: { labelled: boolean }): CountedBatch => {
  const { rows, blockSize: columns, lossMask } = response;
  const lengths = fromInt32Bytes(response.lengths);
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const ids = fromInt32Bytes(response.inputIds);
  if (labelled) return { batch: { rows, columns, ids, lengths, labels: fromInt32Bytes(response.labels) }, tokens };
  const mask = lossMask.length > 0 ? { mask: lossMask } : {};
  return { batch: { rows, columns, ids, targets: fromInt32Bytes(response.targetIds), ...mask }, tokens };
};
