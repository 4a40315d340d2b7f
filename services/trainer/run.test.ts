import { expect, test } from '@jest/globals';
import { runIn } from './run.fixture.ts';
import {
  buryWorker,
  cancelRun,
  isOver,
  moveRun,
  phases,
  RunMoveError,
  type RunState,
  restartRun,
  resumeRun,
} from './run.ts';

const model = { name: 'tiny', version: 'v1' };
const states = {
  pending: { phase: 'pending' },
  running: { phase: 'running', job: 'job-1' },
  cancelling: { phase: 'cancelling', job: 'job-1' },
  succeeded: { phase: 'succeeded', model },
  failed: { phase: 'failed', error: 'loss is NaN' },
  cancelled: { phase: 'cancelled' },
} satisfies Record<(typeof phases)[number], RunState>;

const now = new Date('2026-01-02T03:04:05.000Z');

test.each([
  ['pending', ['running', 'failed', 'cancelled']],
  ['running', ['pending', 'cancelling', 'succeeded', 'failed']],
  ['cancelling', ['succeeded', 'failed', 'cancelled']],
  ['succeeded', []],
  ['failed', ['pending']],
  ['cancelled', ['pending']],
] as const)('from %s a run goes to %j and nowhere else', (from, expected) => {
  const reachable = phases.filter((to) => {
    try {
      return moveRun(runIn(states[from]), states[to], now).state.phase === to;
    } catch (error) {
      expect(error).toBeInstanceOf(RunMoveError);
      return false;
    }
  });
  expect(reachable).toEqual(expected);
});

test('a refused move says which run, where it is and where it cannot go', () => {
  expect(() => moveRun(runIn(states.succeeded), states.running, now)).toThrow(
    'run r1 is succeeded: it cannot become running',
  );
});

test('the first start is kept over restarts, the end is forgotten when a run is resumed', () => {
  const started = moveRun(runIn(states.pending), states.running, now);
  expect(started.startTime).toBe(now.toISOString());
  const failed = moveRun(started, states.failed, new Date('2026-01-03'));
  expect(isOver(failed)).toBe(true);
  expect(failed.endTime).toBe('2026-01-03T00:00:00.000Z');
  const resumed = moveRun(failed, states.pending, new Date('2026-01-04'));
  expect(resumed).toMatchObject({ startTime: now.toISOString(), endTime: '' });
});

test('a restart keeps the reason, the step it goes on from, and the ten newest of its kind', () => {
  let run = runIn(states.running, { checkpointStep: 40 });
  for (let attempt = 1; attempt <= 12; attempt += 1) {
    run = restartRun(
      { ...run, attempts: attempt, state: states.running },
      { reason: 'killed by SIGKILL', delayMs: 5000, now },
    );
  }
  expect(run.restarts).toHaveLength(10);
  expect(run.restarts.at(-1)).toEqual({
    attempt: 12,
    fromStep: 40,
    reason: 'killed by SIGKILL',
    time: now.toISOString(),
  });
  expect(run.state).toEqual({ phase: 'pending', notBefore: '2026-01-02T03:04:10.000Z' });
});

test('workers may die a bounded number of times in a row, each waits twice as long, and the last death fails the run with its reason', () => {
  const policy = { maxRestarts: 2, restartDelayMs: 1000 };
  let run = runIn(states.running);
  const waits: unknown[] = [];
  for (let death = 0; death < 2; death += 1) {
    const buried = buryWorker(run, 'killed by SIGKILL', policy, now);
    waits.push(buried.state);
    run = { ...buried, state: states.running };
  }
  expect(waits).toEqual([
    { phase: 'pending', notBefore: '2026-01-02T03:04:06.000Z' },
    { phase: 'pending', notBefore: '2026-01-02T03:04:07.000Z' },
  ]);
  const { state } = buryWorker(run, 'killed by SIGKILL', policy, now);
  expect(state).toMatchObject({
    phase: 'failed',
    error: expect.stringMatching(/killed by SIGKILL; 3 workers in a row .* \(strata run resume r1\)/),
  });
});

test('cancelling and resuming twice is the same as once', () => {
  const cancelling = cancelRun(runIn(states.running), now);
  expect(cancelling?.state).toEqual({ phase: 'cancelling', job: 'job-1' });
  expect(cancelling && cancelRun(cancelling, now)).toBeUndefined();
  expect(cancelRun(runIn(states.pending), now)?.state.phase).toBe('cancelled');
  expect(resumeRun(runIn(states.running), now)).toBeUndefined();
  expect(resumeRun(runIn(states.failed, { deaths: 3 }), now)).toMatchObject({ deaths: 0, state: { phase: 'pending' } });
  expect(() => cancelRun(runIn(states.succeeded), now)).toThrow(RunMoveError);
  expect(() => resumeRun(runIn(states.succeeded), now)).toThrow(RunMoveError);
});
