// Runs on Node itself, as a worker thread or a child process: opens an engine, computes for a while, tells the result.
import { parentPort, workerData } from 'node:worker_threads';
import { openEngine } from '#lib/tensor/engine.ts';

export interface EngineTask {
  readonly libraryDir: string;
  /** Steps go on for at least this long. */
  readonly busyMs: number;
}

export interface EngineReport {
  readonly steps: number;
  /** The same for everybody who computes it. */
  readonly sum: number;
  readonly handlesLeft: number;
}

function work({ libraryDir, busyMs }: EngineTask): EngineReport {
  const engine = openEngine({ libraryDir, threads: 1 });
  const { tf, jit } = engine;
  const before = engine.memory().handles;
  const step = jit((x: ReturnType<typeof tf.tensor2d>) => {
    let y = x;
    for (let i = 0; i < 8; i++) y = tf.tanh(tf.matMul(y, x));
    return tf.sum(y);
  });
  const x = tf.tidy(() => tf.reshape(tf.linspace(-0.1, 0.1, 512 * 512), [512, 512])) as ReturnType<typeof tf.tensor2d>;
  let sum = 0;
  let steps = 0;
  for (const end = performance.now() + busyMs; performance.now() < end; steps++) {
    const result = step(x);
    sum = result.dataSync()[0] ?? 0;
    result.dispose();
  }
  x.dispose();
  step.dispose();
  return { steps, sum, handlesLeft: engine.memory().handles - before };
}

const task: EngineTask = parentPort ? workerData : JSON.parse(process.argv[2] ?? '');
const report = work(task);
if (parentPort) parentPort.postMessage(report);
else process.stdout.write(JSON.stringify(report));
