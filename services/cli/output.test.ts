import { PassThrough } from 'node:stream';
import { expect, test } from '@jest/globals';
import { createOutput, fields, formatBytes, formatSeconds, table } from './output.ts';

const capture = (json: boolean) => {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const output = createOutput({ json, ...(streams as unknown as Record<'stdout' | 'stderr', NodeJS.WriteStream>) });
  const read = () => [streams.stdout, streams.stderr].map((stream) => (stream.read() ?? '').toString());
  return { output, read };
};

test('under --json stdout has one JSON value and stderr nothing', () => {
  const { output, read } = capture(true);
  output.note('a remark');
  const bar = output.progress('work');
  bar.update({ phase: 'x', done: 1, total: 2, unit: 'steps', remainingSeconds: 1 });
  bar.done();
  output.result({ a: 1 }, () => 'text');
  expect(read()).toEqual(['{"a":1}\n', '']);
});

test('where stderr is no terminal, progress comes as lines', () => {
  const { output, read } = capture(false);
  const bar = output.progress('dataset docs');
  bar.update({ phase: 'encode', done: 1500, total: 3000, unit: 'rows', remainingSeconds: 75 });
  bar.done('3,000 rows');
  expect(read()[1]).toBe(
    'dataset docs: 50% encode · 1,500/3,000 rows · 1 min 15 s left\ndataset docs: done 3,000 rows\n',
  );
});

test('tables align their columns, and say what to do when they are empty', () => {
  expect(table(['A', 'LONG'], [['value', 'x']], 'nothing')).toBe('A      LONG\nvalue  x');
  expect(table(['A'], [], 'nothing yet')).toBe('nothing yet');
});

test('fields leave empty values out', () => {
  expect(fields({ name: 'a', error: '', step: 0, model: undefined })).toBe('name  a\nstep  0');
});

test('sizes and times are written for people', () => {
  expect([0, 999, 1000, 92_000_000, 1.5e9].map(formatBytes)).toEqual(['0 B', '999 B', '1.0 kB', '92 MB', '1.5 GB']);
  expect([0.2, 59.2, 61].map(formatSeconds)).toEqual(['1 s', '60 s', '1 min 1 s']);
});
