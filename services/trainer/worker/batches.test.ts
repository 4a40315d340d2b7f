import { expect, test } from '@jest/globals';
import { StreamBatchesResponse } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { toInt32Bytes } from '#lib/contracts/int32.ts';
import { toBatch } from './batches.ts';

const int32 = (...values: number[]) => toInt32Bytes(values);
const text = (more: object = {}) =>
  StreamBatchesResponse.fromPartial({
    rows: 2,
    blockSize: 4,
    inputIds: int32(1, 2, 3, 4, 5, 6, 7, 8),
    targetIds: int32(2, 3, 4, 5, 6, 7, 8, 9),
    lengths: int32(4, 4),
    ...more,
  });

test('a full batch of text needs no mask', () => {
  const { batch, tokens } = toBatch(text(), { rows: 2, labelled: false, trim: false });
  expect(batch).toEqual({
    rows: 2,
    columns: 4,
    ids: Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    targets: Int32Array.of(2, 3, 4, 5, 6, 7, 8, 9),
  });
  expect(tokens).toBe(8);
});

test('the end of a pass is filled with rows that carry no loss', () => {
  const { batch, tokens } = toBatch(text(), { rows: 3, labelled: false, trim: false });
  expect(batch).toMatchObject({ rows: 3, mask: Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0) });
  expect(tokens).toBe(8);
});

test('columns that are padding everywhere are cut to a half or a quarter, loss masks with them', () => {
  const answer = text({ lengths: int32(2, 1), lossMask: Buffer.from([0, 1, 0, 0, 1, 0, 0, 0]) });
  const { batch, tokens } = toBatch(answer, { rows: 2, labelled: false, trim: true });
  expect(batch).toEqual({
    rows: 2,
    columns: 2,
    ids: Int32Array.of(1, 2, 5, 6),
    targets: Int32Array.of(2, 3, 6, 7),
    mask: Uint8Array.of(0, 1, 1, 0),
  });
  expect(tokens).toBe(3);
});

test('labelled rows carry their class; missing ones carry none', () => {
  const answer = text({ labels: int32(1, 0), lengths: int32(3, 2) });
  const { batch } = toBatch(answer, { rows: 3, labelled: true, trim: true });
  expect(batch).toMatchObject({ columns: 4, labels: Int32Array.of(1, 0, -1), lengths: Int32Array.of(3, 2, 1) });
});
