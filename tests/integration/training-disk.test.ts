// A full disk while a run trains: a small tmpfs that a file fills up.
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, jest } from '@jest/globals';
import { Phase, type Run } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { startTrainingServices, type TrainingServices } from '../support/services.ts';
import { fillUp, mountSmallDisk, testOnSmallDisk, unmountSmallDisks } from '../support/small-disk.ts';
import { create, finish, prepareTiny, resultOf, tinyRequest, until } from '../support/tiny-run.ts';

jest.setTimeout(180_000);

const folders: string[] = [];

const newHome = (): string => {
  const home = mkdtempSync(join(tmpdir(), 'strata-disk-'));
  folders.push(home);
  return home;
};

afterAll(() => {
  unmountSmallDisks();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const slow = { maxSteps: 600, evalEvery: 100 };

/** Trains on a disk that fills up after the first checkpoint; gives the run as it was then, and finished after there was room again. */
const trainOnFullDisk = async (services: TrainingServices, disk: string, whenFull: (id: string) => Promise<Run>) => {
  const data = await prepareTiny(services);
  const reference = await finish(services, (await create(services, tinyRequest('reference', data, slow))).id);
  const { id } = await create(services, tinyRequest('full', data, slow));
  await until(services, id, ({ checkpointStep }) => checkpointStep >= 50);
  const filler = fillUp(disk);
  const full = await whenFull(id);
  filler.free();
  if (full.phase === Phase.PHASE_FAILED) await services.trainer.resumeRun({ runId: id });
  const finished = await finish(services, id);
  expect(await resultOf(services, id)).toEqual(await resultOf(services, reference.id));
  return { full, finished };
};

testOnSmallDisk(
  'a full object store fails the run with what to do, keeps the earlier checkpoint, and once there is room it resumes to the same bits',
  async () => {
    const home = newHome();
    const disk = mountSmallDisk(join(home, 'objects')) ?? '';
    const services = await startTrainingServices(home);
    try {
      let kept: string[] = [];
      const whenFull = async (id: string): Promise<Run> => {
        const run = await finish(services, id);
        kept = await readdir(join(disk, 'runs', id, 'checkpoints', String(run.checkpointStep).padStart(9, '0')));
        return run;
      };
      const { full, finished } = await trainOnFullDisk(services, disk, whenFull);
      expect(full.phase).toBe(Phase.PHASE_FAILED);
      expect(full.error).toMatch(
        /^the checkpoint of step \d+ could not be written: .*no space.*make room, then resume the run.*earlier checkpoints are intact/i,
      );
      expect(kept).toContain('manifest.json');
      expect(finished.phase).toBe(Phase.PHASE_SUCCEEDED);
    } finally {
      await services.stop();
    }
  },
);

testOnSmallDisk(
  'a disk that is full for the state too: nothing is lost, and the run goes on once there is room',
  async () => {
    const home = mountSmallDisk(newHome()) ?? '';
    const services = await startTrainingServices(home, { STRATA_TRAINER_RESTART_DELAY_MS: '100' });
    try {
      const whenFull = async (id: string): Promise<Run> => {
        await new Promise((resolve) => setTimeout(resolve, 5000));
        return (await services.trainer.getRun({ runId: id })).run as Run;
      };
      const { full, finished } = await trainOnFullDisk(services, home, whenFull);
      expect(full.phase).not.toBe(Phase.PHASE_SUCCEEDED);
      expect(finished.phase).toBe(Phase.PHASE_SUCCEEDED);
    } finally {
      await services.stop();
    }
  },
);
