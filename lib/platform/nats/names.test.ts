import { expect, test } from '@jest/globals';
import { createNames } from './names.ts';

const names = createNames('strata');

test('an event has a subject of its own: its type, then its id, which may be any text', () => {
  const subject = names.event('strata.run.finished', 'run.finished/ä b > *');
  expect(subject).toMatch(/^strata\.event\.strata\.run\.finished\.[A-Za-z0-9_-]{22}$/);
  expect(names.event('strata.run.finished', 'another')).not.toBe(subject);
  expect(names.readSubject(subject)).toEqual({ type: 'strata.run.finished', isReplay: false });
});

test('a replay goes to the durable name that failed', () => {
  const subject = names.replay('orchestrator-runs', 'strata.run.finished', '17');
  expect(names.readSubject(subject)).toEqual({ type: 'strata.run.finished', isReplay: true });
  expect(names.filters('orchestrator-runs', ['strata.run.finished'])).toContain('strata.replay.orchestrator-runs.>');
});

test.each([
  [['strata.run.finished'], ['strata.event.strata.run.finished.*']],
  [['strata.run.*'], ['strata.event.strata.run.*.*']],
  [['strata.run.>'], ['strata.event.strata.run.*.>']],
  [['>'], ['strata.event.*.>']],
  [
    ['strata.a.b', 'strata.a.c'],
    ['strata.event.strata.a.b.*', 'strata.event.strata.a.c.*'],
  ],
  [
    ['strata.a.>', 'strata.a'],
    ['strata.event.strata.a.*', 'strata.event.strata.a.*.>'],
  ],
])('%j is filtered by %j', (patterns, filters) => {
  expect(names.filters('d', patterns)).toEqual([...filters, 'strata.replay.d.>']);
});

test.each([[['strata.>', 'strata.run.finished']], [['strata.*.finished', 'strata.run.*']], [['>', 'strata.a']]])(
  '%j overlap, which JetStream refuses: everything comes, the consumer chooses',
  (patterns) => {
    expect(names.filters('d', patterns)).toEqual(['strata.event.*.>', 'strata.replay.d.>']);
  },
);

test('state lies where every NATS client looks for it', () => {
  expect(names.stateKey('runs.a/b=c')).toBe('$KV.strata-state.runs.a/b=c');
  expect(names.keyOf(names.stateKey('runs.a'))).toBe('runs.a');
});
