import { expect, test } from '@jest/globals';
import { createEvent, readEvent, subjects } from './events.ts';

const finished = createEvent(subjects.runFinished, {
  id: 'run.finished/r1',
  source: 'trainer',
  about: 'r1',
  data: { runId: 'r1', model: { name: 'gpt2', version: 'v1' } },
  time: new Date(0),
});

test('an event is a CloudEvent in structured JSON whose type is its subject', () => {
  expect(JSON.parse(JSON.stringify(finished))).toEqual({
    specversion: '1.0',
    id: 'run.finished/r1',
    source: 'strata/trainer',
    type: 'strata.run.finished',
    subject: 'r1',
    time: '1970-01-01T00:00:00.000Z',
    datacontenttype: 'application/json',
    data: { runId: 'r1', model: { name: 'gpt2', version: 'v1' }, labels: {} },
  });
});

test('data is read only from an event of that type that carries what the catalogue says', () => {
  expect(readEvent(subjects.runFinished, finished)?.model.version).toBe('v1');
  expect(readEvent(subjects.runFailed, finished)).toBeUndefined();
  expect(readEvent(subjects.runFinished, { ...finished, data: { runId: 1 } })).toBeUndefined();
});

test('an event with wrong data is not made', () => {
  const data = { runId: 1 } as never;
  expect(() => createEvent(subjects.runFinished, { id: 'x', source: 'trainer', data })).toThrow(/runId/);
});

test('every subject is strata.<thing>.<past tense>', () => {
  for (const subject of Object.values(subjects)) expect(subject).toMatch(/^strata\.[a-z]+\.[a-z]+ed$|\.committed$/);
});
