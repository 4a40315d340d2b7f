// Logs and jobs on a disk that fills up under them. The object store's part is in its own suite.
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect } from '@jest/globals';
import { fillUp, mountSmallDisk, testOnSmallDisk, unmountSmallDisks } from '../../../tests/support/small-disk.ts';
import { firstLine, jobEntry } from '../contract/job-runner.ts';
import { waitForJob } from '../job-runner.ts';
import { createLogger, openLogFile } from '../log.ts';
import { createJobRunner } from './job-runner.ts';

const parent = mkdtempSync(join(tmpdir(), 'strata-full-'));
const disk = join(parent, 'disk');
beforeEach(() => void mountSmallDisk(disk));
afterEach(unmountSmallDisks);
afterAll(() => rmSync(parent, { recursive: true }));

testOnSmallDisk('a log on a full disk fails nobody, and goes on with whole lines once there is room', async () => {
  const path = join(disk, 'services.log');
  const log = createLogger({ service: 'a', destination: openLogFile(path) });
  const filler = fillUp(disk);
  for (let i = 0; i < 3000; i++) log.info({ i, text: 'x'.repeat(1000) }, 'while full');
  filler.free();
  log.info('room again');
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  const messages = lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(messages).toContain('while full');
  expect(messages.length).toBeLessThan(3000);
  log.info('later');
  expect(await readFile(path, 'utf8')).toMatch(/later"\}\n$/);
});

testOnSmallDisk('jobs that end on a full disk are known to have ended, close, and keep their exit code', async () => {
  const folder = join(disk, 'jobs');
  const jobs = createJobRunner({ folder, env: {} });
  await jobs.start({ name: 'saves', entry: jobEntry, args: ['checkpoint'] });
  await firstLine(jobs, 'saves');
  const filler = fillUp(disk);
  await jobs.close();
  expect(await jobs.get('saves')).toMatchObject({ phase: 'succeeded', exitCode: 0 });
  filler.free();
  await jobs.get('saves');
  const next = createJobRunner({ folder, env: {} });
  expect(await waitForJob(next, 'saves')).toMatchObject({ phase: 'succeeded', exitCode: 0 });
});
