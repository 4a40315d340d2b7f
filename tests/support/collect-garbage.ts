// Loaded with `node --expose-gc --import` into the process of a soak, and so into each of its threads: on SIGUSR2 all of them collect their
// garbage, and give back the pages that V8 keeps for later. What is left is what stays.
import { isMainThread } from 'node:worker_threads';

const collect = (): void => globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });

const channel = new BroadcastChannel('collect garbage');
channel.onmessage = collect;
(channel as unknown as NodeJS.RefCounted).unref();

if (isMainThread) {
  process.on('SIGUSR2', () => {
    channel.postMessage('now');
    collect();
  });
}
