import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FixtureMethods } from './worker-call.fixture.worker.ts';
import { createWorker, type WorkerClient } from './worker-call.ts';

const start = () =>
  createWorker<FixtureMethods>(new URL('./worker-call.fixture.worker.ts', import.meta.url), { workerData: 'given' });
let worker: WorkerClient<FixtureMethods>;
beforeAll(() => {
  worker = start();
});
afterAll(() => worker.close());

test('a call gives what the method returns, several at once', async () => {
  const sums = await Promise.all([
    worker.call('sum', [1, 2, 3]),
    worker.call('sum', [10]),
    worker.call('data', undefined),
  ]);
  expect(sums).toEqual([6, 10, 'given']);
});

test('buffers move both ways instead of being copied', async () => {
  const values = new Float32Array([1, 2]);
  const doubled = await worker.call('double', values, { transfer: [values.buffer] });
  expect([...doubled]).toEqual([2, 4]);
  expect(values.byteLength).toBe(0);
});

test('an AppError arrives as an AppError, another error with its name', async () => {
  await expect(worker.call('refuse', 'text')).rejects.toMatchObject({
    name: 'AppError',
    code: 'INVALID_ARGUMENT',
    violations: [{ field: 'text', description: 'is wrong' }],
  });
  await expect(worker.call('breakDown', undefined)).rejects.toMatchObject({
    name: 'RangeError',
    message: 'out of reach',
  });
});

test('progress arrives in order, before the result', async () => {
  const seen: unknown[] = [];
  await worker.call('report', 3, { onProgress: (value) => seen.push(value) });
  expect(seen).toEqual([1, 2, 3]);
});

test('a stream arrives in order, and the worker does not run ahead of a slow reader', async () => {
  const items: number[] = [];
  for await (const item of worker.stream('count', 100)) {
    items.push(item);
    if (item === 10) {
      await delay(50);
      expect((await worker.call('seen', undefined)).produced).toBeLessThan(16);
    }
  }
  expect(items).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
});

test('leaving a stream early stops it in the worker', async () => {
  for await (const item of worker.stream('count', 1_000_000)) if (item === 3) break;
  await delay(50);
  expect((await worker.call('seen', undefined)).produced).toBeLessThan(16);
});

test('an abort ends the call at once with its reason, and reaches the method', async () => {
  const abort = new AbortController();
  const call = worker.call('wait', null, { signal: abort.signal });
  setTimeout(() => abort.abort(), 20);
  await expect(call).rejects.toMatchObject({ name: 'AbortError' });
  await delay(20);
  expect((await worker.call('seen', undefined)).aborted).toBe(1);
});

test('a worker that dies fails the calls under way and those after, naming itself', async () => {
  const mortal = start();
  const waiting = mortal.call('wait', null);
  await expect(mortal.call('exit', 3)).rejects.toThrow(/worker-call.fixture.worker.ts ended with code 3/);
  await expect(waiting).rejects.toMatchObject({ code: 'INTERNAL' });
  expect(await mortal.ended).toMatchObject({ code: 'INTERNAL' });
  await expect(mortal.call('sum', [1])).rejects.toMatchObject({ code: 'INTERNAL' });
});

test('a worker that does not load says why', async () => {
  const broken = createWorker(new URL('./no-such-file.worker.ts', import.meta.url));
  await expect(broken.call('sum', [1])).rejects.toThrow(/no-such-file.worker.ts failed: Cannot find module/);
});

test('closing cancels what is under way', async () => {
  const mortal = start();
  const waiting = mortal.call('wait', null).catch((error) => error);
  await mortal.call('sum', [1]);
  await mortal.close();
  expect(await waiting).toMatchObject({ code: 'CANCELLED' });
  expect(await mortal.ended).toBeUndefined();
});
