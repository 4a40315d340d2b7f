import { expect, test } from '@jest/globals';
import { fromInt32Bytes, toInt32Bytes } from './int32.ts';

test('ids come back as they went, also from the middle of a message', () => {
  const ids = [0, 1, -1, 2 ** 31 - 1];
  expect([...fromInt32Bytes(toInt32Bytes(ids))]).toEqual(ids);
  const message = Buffer.concat([Buffer.from([7, 7, 7]), toInt32Bytes(ids), Buffer.from([7])]);
  expect([...fromInt32Bytes(message.subarray(3, 3 + 16))]).toEqual(ids);
  expect(() => fromInt32Bytes(message.subarray(1))).toThrow(RangeError);
});
