import { expect, test } from '@jest/globals';
import { fromTail, toStamped } from './job-log.ts';

test('times of different length compare as texts once they are read; the kubelet’s own words are no lines', () => {
  const [a, b, c, ...others] = [
    '2026-01-01T00:00:00Z one',
    '2026-01-01T00:00:00.1Z two  three',
    '2026-01-01T00:00:00.123456789Z ',
    'unable to retrieve container logs for containerd://1c25',
  ].flatMap(toStamped);
  expect([a?.line, b?.line, c?.line, others]).toEqual(['one', 'two  three', '', []]);
  expect([c?.time, a?.time, b?.time].sort()).toEqual([a?.time, b?.time, c?.time]);
});

test('kept lines go on after what was read already', () => {
  const kept = '2026-01-01T00:00:01Z first\n2026-01-01T00:00:02Z second';
  expect(fromTail(kept).map(({ line }) => line)).toEqual(['first', 'second']);
  expect(fromTail(kept, '2026-01-01T00:00:01.000000000Z').map(({ line }) => line)).toEqual(['second']);
  expect(fromTail(undefined)).toEqual([]);
});
