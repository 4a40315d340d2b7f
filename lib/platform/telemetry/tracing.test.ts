import { expect, test } from '@jest/globals';
import { noTracing, notTraced, parseTraceparent, toTraceparent } from './tracing.ts';

const valid = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

test('a traceparent is read and written as the specification has it', () => {
  const parsed = parseTraceparent(valid);
  expect(parsed).toEqual({ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', flags: 1 });
  expect(parsed && toTraceparent(parsed)).toBe(valid);
  expect(parseTraceparent(notTraced)?.flags).toBe(0);
});

test.each([
  undefined,
  '',
  'nonsense',
  valid.toUpperCase(),
  valid.replace(/^00/, 'ff'),
  '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
  '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
])('%s is no traceparent', (text) => {
  expect(parseTraceparent(text)).toBeUndefined();
});

test('a later version may have more behind it', () => {
  expect(parseTraceparent(`${valid.replace(/^00/, '01')}-more`)?.spanId).toBe('00f067aa0ba902b7');
});

test('without tracing, work is a plain call and nothing is told', async () => {
  expect(await noTracing.span('x', {}, async () => noTracing.traceparent() ?? 'none')).toBe('none');
  expect(noTracing.begin('x', {})).toBeUndefined();
});
