// The engine computes on a thread or in a process of its own, and whoever serves goes on serving.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import type { EngineReport, EngineTask } from '../support/engine-worker.ts';
import { libraryDir } from '../support/library-dir.ts';

const script = new URL('../support/engine-worker.ts', import.meta.url);

async function inThread(task: EngineTask): Promise<EngineReport> {
  const worker = new Worker(script, { workerData: task });
  const exited = once(worker, 'exit');
  const [report] = (await once(worker, 'message')) as [EngineReport];
  expect(await exited).toEqual([0]);
  return report;
}

async function inProcess(task: EngineTask): Promise<EngineReport> {
  const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(script), JSON.stringify(task)]);
  return JSON.parse(stdout);
}

/** How often this thread got back to its event loop while `work` went on. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  const timer = setInterval(() => turns++, 5);
  await work;
  clearInterval(timer);
  return turns;
}

test('while a worker thread computes, the serving thread goes on, and all memory is given back', async () => {
  const work = inThread({ libraryDir, busyMs: 1500 });
  // One or two, if the serving thread had to wait for the work.
  expect(await turnsDuring(work)).toBeGreaterThan(20);
  expect(await work).toMatchObject({ steps: expect.any(Number), handlesLeft: 0 });
});

test('two threads and a process of their own compute the same', async () => {
  const task = { libraryDir, busyMs: 50 };
  const reports = await Promise.all([inThread(task), inThread(task), inProcess(task)]);
  expect(new Set(reports.map(({ sum }) => sum)).size).toBe(1);
  expect(reports[0].sum).not.toBe(0);
});
