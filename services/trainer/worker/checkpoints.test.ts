// Checkpoints in a real folder, damaged the way disks and kills damage them.
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Weights, weightTensor } from '#lib/model/weights.ts';
import { openObjectStore } from '#lib/platform/embedded/object-store.ts';
import { AppError } from '#lib/platform/errors.ts';
import { createLogger } from '#lib/platform/log.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import { runIn } from '../run.fixture.ts';
import { type Checkpoint, createCheckpoints } from './checkpoints.ts';

let folder: string;
let objects: ObjectStore;
let lines: string[];
const log = () => createLogger({ service: 'test', destination: { write: (line) => void lines.push(line) } });
const run = runIn({ phase: 'running', job: 'job' });
const checkpointsOf = (store: ObjectStore, of = run) => createCheckpoints({ objects: store, run: of, log: log() });

beforeEach(async () => {
  lines = [];
  folder = await mkdtemp(join(tmpdir(), 'strata-checkpoints-'));
  objects = await openObjectStore(folder);
});
afterEach(() => rm(folder, { recursive: true }));

const weightsOf = (value: number): Weights =>
  new Map([['wte.weight', weightTensor([2, 2], Float32Array.of(value, -0, Number.MIN_VALUE, 1 / 3))]]);
const checkpointAt = (step: number): Checkpoint => ({
  position: { step, nextSample: step * 12, tokensSeen: step * 768, best: { step: 1, validationLoss: 2.5 } },
  weights: weightsOf(step),
  optimizer: new Map([['exp_avg.wte.weight', weightTensor([2, 2], Float32Array.of(1e-20, step, 0, 1))]]),
});
const fileOf = (step: number, name: string) => join(folder, 'runs/r1/checkpoints', String(step).padStart(9, '0'), name);
const stored = async () => (await readdir(join(folder, 'runs/r1/checkpoints'))).map(Number).sort((a, b) => a - b);

test('what is loaded is what was saved, to the bit', async () => {
  const checkpoints = checkpointsOf(objects);
  expect(await checkpoints.loadNewest()).toBeUndefined();
  await checkpoints.save(checkpointAt(10));
  await checkpoints.save(checkpointAt(20));
  const loaded = await checkpoints.loadNewest();
  expect(loaded?.position).toEqual(checkpointAt(20).position);
  expect(Buffer.from(loaded?.weights.get('wte.weight')?.data.buffer as ArrayBuffer)).toEqual(
    Buffer.from(weightsOf(20).get('wte.weight')?.data.buffer as ArrayBuffer),
  );
  expect([...(loaded?.optimizer.get('exp_avg.wte.weight')?.data ?? [])]).toEqual([...Float32Array.of(1e-20, 20, 0, 1)]);
  expect([...((await checkpoints.loadWeights(10)).get('wte.weight')?.data ?? [])][0]).toBe(10);
});

test.each<[string, (step: number) => Promise<unknown>, RegExp]>([
  [
    'truncated weights',
    (step) => truncate(fileOf(step, 'model.safetensors'), 40),
    /model.safetensors is damaged: 40 bytes/,
  ],
  [
    'a flipped bit in the moments',
    (step) => flipBit(fileOf(step, 'optimizer.safetensors')),
    /optimizer.safetensors is damaged: its SHA-256/,
  ],
  ['a missing part', (step) => rm(fileOf(step, 'state.json')), /state.json is missing/],
  ['a truncated manifest', (step) => truncate(fileOf(step, 'manifest.json'), 20), /manifest.json is damaged/],
])(
  'the newest checkpoint with %s is passed over for the one before, with the reason logged',
  async (_, damage, reason) => {
    const checkpoints = checkpointsOf(objects);
    await checkpoints.save(checkpointAt(10));
    await checkpoints.save(checkpointAt(20));
    await damage(20);
    expect((await checkpoints.loadNewest())?.position.step).toBe(10);
    expect(lines.join()).toMatch(reason);
  },
);

test('a checkpoint without its manifest (a kill in the middle of saving) does not exist', async () => {
  const checkpoints = checkpointsOf(objects);
  await checkpoints.save(checkpointAt(10));
  await checkpoints.save(checkpointAt(20));
  await rm(fileOf(20, 'manifest.json'));
  expect((await checkpoints.loadNewest())?.position.step).toBe(10);
});

test('a checkpoint of another specification is passed over', async () => {
  await checkpointsOf(objects).save(checkpointAt(10));
  const other = { ...run, spec: { ...run.spec, seed: 7 } };
  expect(await checkpointsOf(objects, other).loadNewest()).toBeUndefined();
  expect(lines.join()).toMatch(/another specification/);
});

test('the newest are kept, and the best one; damaged ones from a later step go', async () => {
  const checkpoints = checkpointsOf(objects);
  for (const step of [10, 20, 30, 40, 50]) await checkpoints.save(checkpointAt(step));
  await checkpoints.prune({ newest: 40, keep: 2, best: 10 });
  expect(await stored()).toEqual([10, 30, 40]);
});

test('a full store fails with what to know, and the earlier checkpoint stays', async () => {
  await checkpointsOf(objects).save(checkpointAt(10));
  const full: ObjectStore = {
    ...objects,
    put: async (key, body, options) => {
      if (key.endsWith('optimizer.safetensors')) throw new AppError('RESOURCE_EXHAUSTED', 'no space left on device');
      return objects.put(key, body, options);
    },
  };
  await expect(checkpointsOf(full).save(checkpointAt(20))).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: 'the checkpoint of step 20 could not be written: no space left on device',
  });
  expect((await checkpointsOf(objects).loadNewest())?.position.step).toBe(10);
});

const flipBit = async (path: string): Promise<void> => {
  const bytes = await readFile(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 3) ^ 4, bytes.length - 3);
  await writeFile(path, bytes);
};
