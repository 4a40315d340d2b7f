// Waiting for the cluster: by looking, with a limit, and with what was seen last in the message when it does not come.
import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** Default: a minute. */
  timeoutMs?: number;
  /** Default: half a second. */
  everyMs?: number;
}

/**
 * Looks until `isSo` holds: what was seen then. `what` completes the sentence "waited for …". A look that throws counts as not yet:
 * services may be away for a moment.
 */
export async function waitFor<T>(
  what: string,
  look: () => Promise<T>,
  isSo: (seen: T) => boolean,
  { timeoutMs = 60_000, everyMs = 500 }: WaitOptions = {},
): Promise<T> {
  let last = 'nothing yet';
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await delay(everyMs)) {
    try {
      const seen = await look();
      if (isSo(seen)) return seen;
      last = JSON.stringify(seen, (_, value) => (typeof value === 'bigint' ? String(value) : value))?.slice(0, 4000);
    } catch (error) {
      last = String(error);
    }
  }
  throw new Error(`waited ${timeoutMs / 1000} s for ${what}; last seen: ${last}`);
}

/** Waits until the look does not throw: the way to a pod that is new is there a moment after the pod. */
export const untilAnswered = <T>(what: string, look: () => Promise<T>, options?: WaitOptions): Promise<T> =>
  waitFor(what, look, () => true, options);
