import { expect, test } from '@jest/globals';
import { StreamBatchesResponse } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { toInt32Bytes } from '#lib/contracts/int32.ts';
import { toBatch } from './batches.ts';

const common = { rows: 2, blockSize: 2, inputIds: toInt32Bytes([1, 2, 3, 0]), lengths: toInt32Bytes([2, 1]) };

test('text without a mask is scored everywhere; real tokens are counted', () => {
  const answer = StreamBatchesResponse.fromPartial({ ...common, targetIds: toInt32Bytes([2, 3, 4, 0]) });
  const { batch, tokens } = toBatch(answer, { labelled: false });
  expect(batch).toEqual({ rows: 2, columns: 2, ids: Int32Array.of(1, 2, 3, 0), targets: Int32Array.of(2, 3, 4, 0) });
  expect(tokens).toBe(3);
});

test('a loss mask goes along', () => {
  const lossMask = Buffer.from([0, 1, 1, 0]);
  const answer = StreamBatchesResponse.fromPartial({ ...common, targetIds: common.inputIds, lossMask });
  expect(toBatch(answer, { labelled: false }).batch).toMatchObject({ mask: lossMask });
});

test('labelled rows carry their class and their length', () => {
  const answer = StreamBatchesResponse.fromPartial({ ...common, labels: toInt32Bytes([1, 0]) });
  const { batch } = toBatch(answer, { labelled: true });
  expect(batch).toMatchObject({ labels: Int32Array.of(1, 0), lengths: Int32Array.of(2, 1) });
});
