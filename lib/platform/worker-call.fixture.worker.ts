// The worker of worker-call.test.ts.
import { setTimeout as delay } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { invalidArgument } from './errors.ts';
import { serveWorker, transferred, type WorkerCall } from './worker-call.ts';

let produced = 0;
let aborted = 0;

const methods = {
  sum: async (numbers: number[]) => numbers.reduce((total, number) => total + number, 0),
  double: async (values: Float32Array<ArrayBuffer>) => {
    const result = values.map((value) => value * 2);
    return transferred(result, [result.buffer]);
  },
  refuse: async (field: string) => {
    throw invalidArgument(field, 'is wrong');
  },
  breakDown: async () => {
    throw new RangeError('out of reach');
  },
  report: async (steps: number, { progress }: WorkerCall) => {
    for (let step = 1; step <= steps; step++) progress(step);
  },
  wait: async (_: null, { signal }: WorkerCall) => {
    signal.addEventListener('abort', () => aborted++);
    await delay(60_000, undefined, { signal });
  },
  async *count(to: number) {
    produced = 0;
    for (let n = 1; n <= to; n++) {
      produced = n;
      yield n;
    }
  },
  seen: async () => ({ produced, aborted }),
  data: async () => workerData as string,
  exit: async (code: number) => process.exit(code),
};

export type FixtureMethods = typeof methods;

serveWorker(methods);
