// What every JobRunner keeps to.
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { type JobRunner, type JobSpec, waitForJob } from '../job-runner.ts';
import { type CreateHarness, useHarness } from './harness.ts';

export const jobEntry = 'lib/platform/contract/job.fixture.ts';
const job = (name: string, ...args: string[]): JobSpec => ({ name, entry: jobEntry, args });

const linesOf = async (jobs: JobRunner, name: string): Promise<string[]> => {
  const lines: string[] = [];
  for await (const line of jobs.logs(name, { follow: true })) lines.push(line);
  return lines;
};

/** Waits for the first line that the job says. */
export async function firstLine(jobs: JobRunner, name: string): Promise<string> {
  for await (const line of jobs.logs(name, { follow: true })) return line;
  throw new Error(`the job ${name} said nothing`);
}

export function describeJobRunner(name: string, create: CreateHarness): void {
  describe(`job runner: ${name}`, () => {
    const { open } = useHarness(create);

    test('a job runs, says something, and succeeds', async () => {
      const { jobs } = await open();
      expect(await jobs.start(job('a', 'say', 'one', 'two'))).toMatchObject({ name: 'a' });
      expect(await linesOf(jobs, 'a')).toEqual(['one', 'two']);
      const done = await waitForJob(jobs, 'a');
      expect(done).toMatchObject({ phase: 'succeeded', exitCode: 0 });
      expect(Date.parse(done.endedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(done.startedAt ?? ''));
    });

    test('a job that fails has its exit code, and its log says why', async () => {
      const { jobs } = await open();
      await jobs.start(job('seven', 'exit', '7'));
      await jobs.start(job('broken', 'throw'));
      expect(await waitForJob(jobs, 'seven')).toMatchObject({ phase: 'failed', exitCode: 7, reason: 'exit code 7' });
      expect(await waitForJob(jobs, 'broken')).toMatchObject({ phase: 'failed', exitCode: 1 });
      expect((await linesOf(jobs, 'broken')).join('\n')).toContain('Error: the job broke');
    });

    test('the same name starts one job, however often and from wherever it is asked for, also after it has ended', async () => {
      const { jobs } = await open();
      const other = (await open()).jobs;
      await Promise.all([jobs, other, jobs, other].map((runner) => runner.start(job('once', 'say', 'hello'))));
      await waitForJob(jobs, 'once');
      expect(await other.start(job('once', 'say', 'again'))).toMatchObject({ phase: 'succeeded' });
      expect(await linesOf(jobs, 'once')).toEqual(['hello']);
    });

    test('a job gets its own environment', async () => {
      const { jobs } = await open();
      await jobs.start({
        ...job('env', 'environment', 'STRATA_TEST', 'STRATA_JOB_FOLDER'),
        env: { STRATA_TEST: 'x y' },
      });
      expect(await linesOf(jobs, 'env')).toEqual(['STRATA_TEST=x y', 'STRATA_JOB_FOLDER=']);
    });

    test("a thread's end is not the job's", async () => {
      const { jobs } = await open();
      await jobs.start(job('threads', 'thread'));
      expect(await waitForJob(jobs, 'threads')).toMatchObject({ phase: 'succeeded', exitCode: 0 });
    });

    test('cancel lets a job save its work; one that does not listen is killed after the grace', async () => {
      const { jobs } = await open();
      for (const name of ['polite', 'stubborn']) {
        await jobs.start(job(name, name === 'polite' ? 'checkpoint' : name));
        await firstLine(jobs, name);
      }
      await jobs.cancel('polite');
      expect(await jobs.get('polite')).toMatchObject({ phase: 'succeeded' });
      expect((await linesOf(jobs, 'polite')).at(-1)).toBe('saved');
      await jobs.cancel('stubborn', { graceMs: 100 });
      expect(await jobs.get('stubborn')).toMatchObject({ phase: 'failed', reason: expect.stringContaining('kill') });
      await jobs.cancel('polite');
      await expect(jobs.cancel('unknown')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    test('lists by prefix, newest first; forgets what is deleted, but not what runs', async () => {
      const { jobs } = await open();
      for (const name of ['run-1', 'run-2', 'other']) {
        await jobs.start(job(name, name === 'other' ? 'checkpoint' : 'say'));
        await delay(5);
      }
      expect((await jobs.list('run-')).map(({ name }) => name)).toEqual(['run-2', 'run-1']);
      await waitForJob(jobs, 'run-1');
      await jobs.delete('run-1');
      expect(await jobs.get('run-1')).toBeUndefined();
      await firstLine(jobs, 'other');
      await expect(jobs.delete('other')).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    });

    test('names and programs outside the rules are refused', async () => {
      const { jobs } = await open();
      for (const name of ['', 'A', '-a', 'a.b', '../a', 'a'.repeat(64)]) {
        await expect(jobs.start(job(name, 'say'))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      }
      for (const entry of ['/bin/sh', '../x.ts']) {
        await expect(jobs.start({ name: 'a', entry })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      }
    });
  });
}
