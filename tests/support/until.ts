// Waiting for what happens by itself: by looking, with a limit.
import { setTimeout as delay } from 'node:timers/promises';

export interface UntilOptions {
  /** Default: a minute. */
  timeoutMs?: number;
  everyMs?: number;
  /** What is known when it does not come: the end of a log, say. */
  known?: () => string;
}

export async function until(
  isSo: () => boolean | Promise<boolean>,
  { timeoutMs = 60_000, everyMs = 20, known = () => '' }: UntilOptions = {},
): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await delay(everyMs)) if (await isSo()) return;
  throw new Error(`not within ${timeoutMs / 1000} s; ${known()}`);
}
