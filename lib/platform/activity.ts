// Tells whoever scales a service to zero that it is wanted.
import { type Activity, keys } from '#lib/contracts/keys.ts';
import type { KeyValue } from './key-value.ts';
import type { Logger } from './log.ts';

export interface ActivityOptions {
  state: KeyValue;
  log: Logger;
  /** Between two writes. */
  everyMs: number;
}

/** Gives a function that writes down that the service is wanted now; called more often than `everyMs`, it writes no more often. */
export function createActivity(service: 'inference', { state, log, everyMs }: ActivityOptions): () => Promise<void> {
  let lastWrite = 0;
  return async () => {
    if (Date.now() - lastWrite < everyMs) return;
    lastWrite = Date.now();
    const activity: Activity = { wantedAt: new Date(lastWrite).toISOString() };
    await state.put(keys.activity(service), activity).catch((error) => {
      lastWrite = 0;
      log.warn({ error }, `that ${service} is wanted cannot be written down for now`);
    });
  };
}
