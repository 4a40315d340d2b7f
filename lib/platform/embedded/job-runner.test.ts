import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { useHarness } from '../contract/harness.ts';
import { describeJobRunner, firstLine, jobEntry } from '../contract/job-runner.ts';
import { waitForJob } from '../job-runner.ts';
import { createEmbeddedHarness } from './harness.fixture.ts';
import { createJobRunner } from './job-runner.ts';
import { identityOf, isAlive, thisProcess } from './process-identity.ts';

describeJobRunner('child processes', createEmbeddedHarness);

const { open, spawn } = useHarness(createEmbeddedHarness);
const pidOf = async (line: Promise<string>): Promise<number> => Number((await line).split(' ')[1]);
const isRunning = (pid: number): boolean => identityOf(pid) !== undefined;

test('a job goes on when its parent is killed; the next runner adopts it, knows its end and can stop it', async () => {
  const parent = await spawn('start', 'orphan', jobEntry, 'checkpoint');
  await parent.lines.next();
  await parent.kill();
  const { jobs } = await open();
  const pid = await pidOf(firstLine(jobs, 'orphan'));
  expect(await jobs.get('orphan')).toMatchObject({ phase: 'running' });
  expect(isRunning(pid)).toBe(true);
  await jobs.cancel('orphan');
  expect(await jobs.get('orphan')).toMatchObject({ phase: 'succeeded', exitCode: 0 });
});

test('the exit code of a job that ended while nobody looked is known', async () => {
  const parent = await spawn('start', 'orphan', jobEntry, 'exit', '9');
  await parent.lines.next();
  await parent.kill();
  const { jobs } = await open();
  expect(await waitForJob(jobs, 'orphan')).toMatchObject({ phase: 'failed', exitCode: 9 });
});

test('an adopted job that is killed is found dead', async () => {
  const parent = await spawn('start', 'orphan', jobEntry, 'checkpoint');
  await parent.lines.next();
  await parent.kill();
  const { jobs } = await open();
  process.kill(await pidOf(firstLine(jobs, 'orphan')), 'SIGKILL');
  expect(await waitForJob(jobs, 'orphan')).toMatchObject({ phase: 'failed', reason: expect.stringMatching(/killed/) });
});

test('a job that is killed says by which signal', async () => {
  const { jobs } = await open();
  await jobs.start({ name: 'victim', entry: jobEntry, args: ['checkpoint'] });
  process.kill(await pidOf(firstLine(jobs, 'victim')), 'SIGKILL');
  const job = await waitForJob(jobs, 'victim');
  expect(job).toMatchObject({ phase: 'failed', reason: expect.stringMatching(/kill/) });
  expect(job.exitCode).toBeUndefined();
});

test('closing the runner lets its jobs save their work', async () => {
  const { jobs } = await open();
  await jobs.start({ name: 'mine', entry: jobEntry, args: ['checkpoint'] });
  const pid = await pidOf(firstLine(jobs, 'mine'));
  await jobs.close();
  expect(isRunning(pid)).toBe(false);
  expect(await jobs.get('mine')).toMatchObject({ phase: 'succeeded' });
});

test('a job that was accepted but not started, because the runner died in between, is started by the next', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strata-jobs-'));
  await mkdir(join(folder, 'accepted'));
  const owner = { pid: 999_999_999, startedAt: 'x' };
  const spec = {
    name: 'accepted',
    entry: jobEntry,
    args: ['say', 'hello'],
    owner,
    createdAt: new Date().toISOString(),
  };
  await writeFile(join(folder, 'accepted', 'spec.json'), JSON.stringify(spec));
  await writeFile(join(folder, 'accepted', 'log'), '');
  const runners = [1, 2].map(() => createJobRunner({ folder, env: {} }));
  await Promise.all(runners.map((runner) => runner.get('accepted')));
  for (const runner of runners) expect(await waitForJob(runner, 'accepted')).toMatchObject({ phase: 'succeeded' });
  await Promise.all(runners.map((runner) => runner.close()));
  await rm(folder, { recursive: true });
});

test('a process is itself, and not another one that got its pid', async () => {
  const self = thisProcess();
  expect(isAlive(self)).toBe(true);
  expect(isAlive({ ...self, startedAt: 'earlier' })).toBe(false);
  expect(isAlive({ pid: 999_999_999, startedAt: self.startedAt })).toBe(false);
  await delay(10);
  expect(identityOf(self.pid)).toEqual(self);
});
