import { expect, test } from '@jest/globals';
import { podOf, toJob } from './job-status.ts';
import type { Condition, ContainerStatus, JobObject, PodObject } from './objects.ts';

const time = '2026-01-01T00:01:00Z';
const condition = (type: string, message = '', reason = ''): Condition => ({
  type,
  status: 'True',
  message,
  reason,
  lastTransitionTime: time,
});
const jobWith = (
  conditions: Condition[] = [],
  more: Partial<JobObject['metadata']> = {},
  suspend = false,
): JobObject => ({
  metadata: {
    name: 'run-1',
    uid: 'u1',
    creationTimestamp: '2026-01-01T00:00:00Z',
    annotations: { 'strata.dev/created-at': '2026-01-01T00:00:00.5Z' },
    ...more,
  },
  spec: { suspend, template: { spec: { containers: [{ name: 'job' }] } } },
  status: { startTime: '2026-01-01T00:00:01Z', conditions },
});
const podWith = (state: ContainerStatus['state'], conditions: Condition[] = []): PodObject => ({
  metadata: { name: 'run-1-x', labels: { 'batch.kubernetes.io/controller-uid': 'u1' } },
  spec: { nodeName: 'n', containers: [{ name: 'job', resources: { limits: { memory: '4Gi' } } }] },
  status: {
    conditions,
    containerStatuses: [
      { name: 'sidecar', state: { running: {} } },
      { name: 'job', ...(state && { state }) },
    ],
  },
});
const ended = (exitCode: number, reason = 'Error') =>
  podWith({ terminated: { exitCode, reason, startedAt: '2026-01-01T00:00:02Z' } });
const failedBy = (exitCode: number) =>
  condition(
    'Failed',
    `Container job for pod strata/run-1-x failed with exit code ${exitCode} matching FailJob rule at index 1`,
    'PodFailurePolicy',
  );

test('a job that succeeded, with its times', () => {
  expect(toJob(jobWith([condition('Complete')]), ended(0, 'Completed'))).toEqual({
    name: 'run-1',
    phase: 'succeeded',
    exitCode: 0,
    createdAt: '2026-01-01T00:00:00.5Z',
    startedAt: '2026-01-01T00:00:02Z',
    endedAt: time,
  });
});

test('a job runs from when its container does until its Job has an end', () => {
  const running = podWith({ running: { startedAt: '2026-01-01T00:00:02Z' } });
  expect(toJob(jobWith(), running)).toMatchObject({ phase: 'running', startedAt: '2026-01-01T00:00:02Z' });
  expect(toJob(jobWith(), ended(0))).toMatchObject({ phase: 'running' });
  expect(toJob(jobWith([condition('FailureTarget')]), ended(1))).toMatchObject({ phase: 'running' });
  expect(toJob(jobWith([], { deletionTimestamp: time }), running)).toMatchObject({ reason: 'is being deleted' });
});

test('the exit code is known with the pod and, from the Job’s own words, without it', () => {
  for (const pod of [ended(75), undefined]) {
    expect(toJob(jobWith([failedBy(75)]), pod)).toMatchObject({
      phase: 'failed',
      exitCode: 75,
      reason: 'exit code 75',
      endedAt: time,
    });
  }
});

test('a signal is named and is no exit code; out of memory says the limit', () => {
  const killed = toJob(jobWith([failedBy(137)]), undefined);
  expect(killed).toMatchObject({ phase: 'failed', reason: 'killed by SIGKILL' });
  expect(killed).not.toHaveProperty('exitCode');
  expect(toJob(jobWith([failedBy(137)]), ended(137, 'OOMKilled'))).toMatchObject({
    reason: 'killed: out of memory (its limit is 4Gi)',
  });
});

test('a disrupted job is interrupted, whether its pod is there to tell or only its Job', () => {
  const message = 'Pod strata/run-1-x has condition DisruptionTarget matching FailJob rule at index 0';
  const job = jobWith([condition('Failed', message, 'PodFailurePolicy')]);
  expect(toJob(job, undefined)).toMatchObject({
    phase: 'failed',
    interrupted: true,
    reason: `interrupted: ${message}`,
  });
  const evicted = { ...ended(75) };
  evicted.status = { ...evicted.status, conditions: [condition('DisruptionTarget', 'Eviction API: evicting')] };
  expect(toJob(job, evicted)).toMatchObject({
    interrupted: true,
    exitCode: 75,
    reason: 'interrupted: Eviction API: evicting',
  });
});

test('a Job that failed without a container says so in its own words', () => {
  const job = jobWith([condition('Failed', 'Job was active longer than specified deadline', 'DeadlineExceeded')]);
  expect(toJob(job, undefined)).toMatchObject({
    phase: 'failed',
    reason: 'DeadlineExceeded: Job was active longer than specified deadline',
  });
  const broken = podWith({ terminated: { exitCode: 2, reason: 'ContainerCannotRun', message: 'no such file' } });
  expect(toJob(jobWith([failedBy(2)]), broken).reason).toBe('exit code 2: ContainerCannotRun: no such file');
});

test.each<[string | undefined, JobObject, PodObject | undefined]>([
  ['has no pod yet (kubectl describe job run-1)', jobWith(), undefined],
  ['is suspended', jobWith([], {}, true), undefined],
  ['waits in the queue "team"', jobWith([], { labels: { 'kueue.x-k8s.io/queue-name': 'team' } }, true), undefined],
  [
    'cannot be scheduled: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu.',
    jobWith(),
    podWith(undefined, [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'Unschedulable',
        message: '0/2 nodes are available: 2 Insufficient nvidia.com/gpu.',
      },
    ]),
  ],
  [
    'ImagePullBackOff: Back-off pulling image "nowhere"',
    jobWith(),
    podWith({ waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "nowhere"' } }),
  ],
  [undefined, jobWith(), podWith({ waiting: { reason: 'ContainerCreating' } })],
])('a job that waits says for what: %s', (reason, job, pod) => {
  const { phase, ...rest } = toJob(job, pod);
  expect([phase, rest.reason]).toEqual(['pending', reason]);
});

test('the pod is the newest of this very Job, not of an earlier one of its name', () => {
  const at = (name: string, uid: string, creationTimestamp: string): PodObject => ({
    ...podWith(undefined),
    metadata: { name, creationTimestamp, labels: { 'batch.kubernetes.io/controller-uid': uid } },
  });
  const pods = [at('a', 'u1', '2026-01-01T00:00:01Z'), at('b', 'u1', '2026-01-01T00:00:02Z'), at('c', 'u0', '2027')];
  expect(podOf(jobWith(), pods)?.metadata.name).toBe('b');
  expect(podOf(jobWith([], { uid: 'u2' }), pods)).toBeUndefined();
});
