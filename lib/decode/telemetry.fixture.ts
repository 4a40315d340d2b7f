// Opens ONNX Runtime in a worker thread, as services do, and gives it time to speak: run with HOME and TMPDIR that a test looks into.
import { setTimeout as delay } from 'node:timers/promises';
import { isMainThread, Worker } from 'node:worker_threads';
import { openOrt } from './ort.ts';

if (isMainThread) {
  new Worker(new URL(import.meta.url));
} else {
  openOrt();
  await delay(500);
}
