// Tokenizers that are always there. They are registered as version v1 at the first start, like any other from then on, so that
// readers of the object store find them too.

import { createWorker } from '#lib/platform/worker-call.ts';
import type { Registry } from './registry.ts';
import type { TrainMethods } from './train.worker.ts';

export const builtInNames: readonly string[] = ['gpt2'];

export const registerBuiltIns = async (registry: Registry): Promise<void> => {
  for (const name of builtInNames) {
    const origin = { requestId: 'built-in', requestSha256: 'built-in' };
    if (await registry.findMade(name, origin)) continue;
    const worker = createWorker<TrainMethods>(new URL('./train.worker.ts', import.meta.url));
    try {
      await registry.add(name, origin, { ...(await worker.call('builtIn', name)), sources: ['npm:js-tiktoken'] });
    } finally {
      await worker.close();
    }
  }
};
