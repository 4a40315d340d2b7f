// What a cluster does to a run's job, as the run tells it. The jobs are a table that the test writes.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readConfig } from '#lib/platform/config.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import type { Job, JobRunner, JobSpec } from '#lib/platform/job-runner.ts';
import { createLogger } from '#lib/platform/log.ts';
import { openPlatform, type Platform } from '#lib/platform/platform.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import { noTelemetry } from '#lib/platform/telemetry.ts';
import { createAnnouncer } from './announce.ts';
import { createTrainerMetrics } from './metrics.ts';
import { createReconciler } from './reconcile.ts';
import { runIn } from './run.fixture.ts';
import type { Run, RunState } from './run.ts';
import { createRunStore } from './run-store.ts';

let home: string;
let platform: Platform;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-reconcile-'));
  platform = await openPlatform(readConfig(platformSettings, { STRATA_HOME: home }));
});
afterAll(async () => {
  await platform.close();
  await rm(home, { recursive: true });
});

const profiles = ['cpu', 'gpu'];

async function createCluster(id: string, state: RunState, more: Partial<Run> = {}) {
  const table = new Map<string, Job>();
  const specs: JobSpec[] = [];
  const jobs: Pick<JobRunner, 'start' | 'get' | 'logs'> = {
    async start(spec) {
      if (!profiles.includes(spec.profile ?? 'cpu')) throw invalidArgument('profile', `no profile "${spec.profile}"`);
      specs.push(spec);
      return { name: spec.name, phase: 'pending', createdAt: new Date().toISOString() };
    },
    get: async (name) => table.get(name),
    async *logs() {},
  };
  const runs = createRunStore(platform.state);
  const telemetry = noTelemetry('trainer');
  const reconcile = createReconciler({
    runs,
    jobs: jobs as JobRunner,
    announcer: createAnnouncer(platform.events, runs),
    log: createLogger({ service: 'trainer', level: 'silent' }),
    tracing: telemetry.tracing,
    metrics: createTrainerMetrics(telemetry.metrics, runs),
    workerEnv: {},
    cancelGraceMs: 1,
    maxRestarts: 3,
    restartDelayMs: 1000,
  });
  await runs.create(runIn(state, { id, ...more }));
  const look = async (job?: Omit<Job, 'name' | 'createdAt'>, createdAt = '2026-01-01T00:00:00Z') => {
    const name = `run-${id}-1`;
    if (job) table.set(name, { name, createdAt, ...job });
    await reconcile(id);
    return runs.get(id);
  };
  return { look, specs };
}

test('a worker that cannot begin says for what it waits, once it is no matter of a moment, until it begins', async () => {
  const { look } = await createCluster('waits', { phase: 'running', job: 'run-waits-1' });
  const pending = { phase: 'pending' as const, reason: 'cannot be scheduled: 1 Insufficient nvidia.com/gpu' };
  expect((await look(pending, new Date().toISOString())).waitingFor).toBe('');
  expect((await look(pending)).waitingFor).toBe(pending.reason);
  expect((await look({ phase: 'running' })).waitingFor).toBe('');
});

test('a job that the cluster took away is no death: the run goes on at once', async () => {
  const { look } = await createCluster('taken', { phase: 'running', job: 'run-taken-1' }, { deaths: 2 });
  const reason = 'interrupted: Preempted by scheduler';
  const run = await look({ phase: 'failed', interrupted: true, reason });
  expect(run).toMatchObject({ state: { phase: 'pending' }, deaths: 2, restarts: [{ reason }] });
});

test('a run whose device is no profile fails and says so; one that has one asks for it, with its own label', async () => {
  const spec = (device: string) => ({ spec: { ...runIn({ phase: 'pending' }).spec, device } });
  const wrong = await createCluster('wrong', { phase: 'pending' }, { attempts: 0, ...spec('tpu') });
  expect((await wrong.look()).state).toEqual({ phase: 'failed', error: 'profile: no profile "tpu"' });
  const right = await createCluster('right', { phase: 'pending' }, { attempts: 0, ...spec('gpu') });
  expect((await right.look()).state.phase).toBe('running');
  expect(right.specs).toMatchObject([{ name: 'run-right-1', profile: 'gpu', labels: { run: 'right' } }]);
});
