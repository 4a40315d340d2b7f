import { expect, test } from '@jest/globals';
import {
  addFile,
  emptyLedger,
  filesOf,
  isBatchDue,
  type Ledger,
  pipelineRunIds,
  takeBatch,
  waitingFiles,
} from './ledger.ts';

const file = (name: string, examples = 10) => ({ key: `inbox/spam/${name}`, sha256: name, sizeBytes: 100, examples });
const batching = { minExamples: 20, maxWaitSeconds: 60, debounceSeconds: 2 };

const ledgerOf = (...arrivals: [name: string, at: number][]): Ledger =>
  arrivals.reduce<Ledger>((ledger, [name, at]) => addFile(ledger, file(name), at) ?? ledger, emptyLedger);

test('the same content twice is one file, under whatever name', () => {
  const ledger = ledgerOf(['a', 0]);
  expect(addFile(ledger, { ...file('a'), key: 'inbox/spam/other-name' }, 5)).toBeUndefined();
});

test('a batch is due with enough examples, but never before a moment of quiet', () => {
  const ledger = ledgerOf(['a', 0], ['b', 1000]);
  expect(isBatchDue(ledger, batching, 2500)).toBe(false);
  expect(isBatchDue(ledger, batching, 3000)).toBe(true);
});

test('too few examples wait for the longest wait, counted from the first file', () => {
  const ledger = ledgerOf(['a', 1000]);
  expect(isBatchDue(ledger, batching, 60_999)).toBe(false);
  expect(isBatchDue(ledger, batching, 61_000)).toBe(true);
});

test('an empty inbox is never due', () => {
  expect(isBatchDue(emptyLedger, batching, 1e12)).toBe(false);
});

test('a taken batch waits no more, and the next one begins its own wait', () => {
  const first = takeBatch(ledgerOf(['a', 0], ['b', 1000]), 'run-1');
  expect(waitingFiles(first)).toEqual([]);
  const next = addFile(first, file('c'), 500_000) ?? first;
  expect(next.firstWaitingAt).toBe(500_000);
  expect(waitingFiles(next).map(({ sha256 }) => sha256)).toEqual(['c']);
});

test('a pipeline run learns from its own files and from all that were taken before it', () => {
  const first = takeBatch(ledgerOf(['a', 0], ['b', 0]), 'run-1');
  const second = takeBatch(addFile(first, file('c'), 1) ?? first, 'run-2');
  const third = takeBatch(addFile(second, file('d'), 2) ?? second, 'run-3');
  expect(pipelineRunIds(third)).toEqual(['run-1', 'run-2', 'run-3']);
  const { batch, earlier } = filesOf(third, 'run-2');
  expect(batch.map(({ sha256 }) => sha256)).toEqual(['c']);
  expect(earlier.map(({ sha256 }) => sha256)).toEqual(['a', 'b']);
});
