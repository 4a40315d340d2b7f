// Loops that watch over something for as long as a service lives: one that fails (a full disk, a broker that is away) begins anew.
import { setTimeout as delay } from 'node:timers/promises';

export interface KeepRunningOptions {
  signal: AbortSignal;
  onFailure: (error: unknown) => void;
  /** Between a failure and the next beginning. */
  pauseMs: number;
}

/** Runs `loop` until aborted; resolves then, and never rejects. */
export async function keepRunning(
  loop: () => Promise<void>,
  { signal, onFailure, pauseMs }: KeepRunningOptions,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await loop();
    } catch (error) {
      if (signal.aborted) return;
      onFailure(error);
    }
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
