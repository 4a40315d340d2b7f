// StreamBatches: which samples make up each batch, and the batch itself. Everything follows from the request.
import type {
  StreamBatchesRequest,
  StreamBatchesResponse,
} from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import type { DataKind } from '#lib/data/columns.ts';
import { firstSampleOf } from '#lib/data/order.ts';
import {
  type LabelledSheet,
  type Place,
  packInstructions,
  packLabelled,
  packWindows,
  type TokenSheet,
} from '#lib/data/packing.ts';
import { check } from '#lib/platform/check.ts';
import { splitNameOf } from './dataset-manifest.ts';
import { mixtureProblems, type OpenMixture, orderOf } from './open-mixture.ts';
import { type OpenSplit, toDataLoss } from './open-splits.ts';

/** Tokens of one batch: inputs, targets and mask of that many fit into a message with room to spare. */
const largestBatch = 4 * 1024 * 1024;

/** INVALID_ARGUMENT names every wrong field. */
export function checkStreamRequest(request: StreamBatchesRequest): void {
  const { mixture, split, batchSize, blockSize, sequential, rank, worldSize } = request;
  check({
    ...mixtureProblems(mixture),
    ...(sequential && mixture.length > 1 && { mixture: 'must be one dataset where sequential' }),
    split: !splitNameOf(split) && 'must be TRAIN, VALIDATION or TEST',
    batch_size: batchSize < 1 && 'must be at least 1',
    block_size:
      (blockSize < 1 && 'must be at least 1') ||
      (batchSize * blockSize > largestBatch && `times batch_size must be at most ${largestBatch} tokens`),
    rank: rank >= Math.max(1, worldSize) && `must be below world_size (${worldSize})`,
  });
}

/** The batches, in order. They are made as fast as they are taken. */
export function* makeBatches(request: StreamBatchesRequest, mixture: OpenMixture): Generator<StreamBatchesResponse> {
  const { batchSize, blockSize, rank, startSample: start, maxBatches } = request;
  const worldSize = Math.max(1, request.worldSize);
  const { placeAt, end } = request.sequential ? onePass(mixture, blockSize) : endless(request, mixture);
  let next = firstSampleOf({ start, rank, worldSize });
  for (let batch = 0; maxBatches === 0 || batch < maxBatches; batch++) {
    const firstSample = next;
    const places: Place[] = [];
    for (; places.length < batchSize && next < end; next += worldSize) places.push(placeAt(next));
    if (places.length === 0) return;
    yield toResponse(mixture.kind, places, { firstSample, blockSize });
  }
}

interface Samples {
  placeAt(sample: number): Place;
  end: number;
}

function onePass({ kind, parts }: OpenMixture, blockSize: number): Samples {
  const { reader } = parts[0] as OpenSplit;
  if (kind !== 'text') return { placeAt: (sample) => ({ reader, position: sample }), end: reader.rowCount };
  const end = Math.ceil((reader.tokenCount - 1) / blockSize);
  return { placeAt: (sample) => ({ reader, position: sample * blockSize }), end };
}

function endless({ mixture, seed, blockSize }: StreamBatchesRequest, { parts }: OpenMixture): Samples {
  const order = orderOf({ parts, mixture, seed, blockSize });
  const placeAt = (sample: number): Place => {
    const { part, position } = order.at(sample);
    return { reader: (parts[part] as OpenSplit).reader, position };
  };
  return { placeAt, end: Infinity };
}

const bytesOf = ({ buffer }: Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>): Buffer => Buffer.from(buffer);
const nothing = Buffer.alloc(0);

function toResponse(
  kind: DataKind,
  places: readonly Place[],
  { firstSample, blockSize }: { firstSample: number; blockSize: number },
): StreamBatchesResponse {
  const sheet = pack(kind, places, blockSize);
  return {
    firstSample,
    rows: sheet.rows,
    blockSize,
    inputIds: bytesOf(sheet.inputs),
    targetIds: 'targets' in sheet ? bytesOf(sheet.targets) : nothing,
    lossMask: 'mask' in sheet && sheet.mask ? bytesOf(sheet.mask) : nothing,
    labels: 'labels' in sheet ? bytesOf(sheet.labels) : nothing,
    lengths: bytesOf(sheet.lengths),
  };
}

export function pack(kind: DataKind, places: readonly Place[], blockSize: number): TokenSheet | LabelledSheet {
  try {
    if (kind === 'text') return packWindows(places, blockSize);
    return kind === 'labelled' ? packLabelled(places, blockSize) : packInstructions(places, blockSize);
  } catch (error) {
    throw toDataLoss(error);
  }
}
