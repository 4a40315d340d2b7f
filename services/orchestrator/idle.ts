// Scale to zero, and from it: inference sleeps when nobody has wanted it for a while, and wakes when somebody does. Between one replica and many
// an autoscaler decides; it leaves a Deployment alone that has none.
import { setTimeout as delay } from 'node:timers/promises';
import { type Activity, keys } from '#lib/contracts/keys.ts';
import { fromUnknown } from '#lib/platform/errors.ts';
import { keepRunning } from '#lib/platform/keep-running.ts';
import type { KeyValue } from '#lib/platform/key-value.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { Scaler } from '#lib/platform/scaler.ts';

export interface IdleFacts {
  replicas: number;
  /** When it was last wanted, as far as is known: milliseconds since 1970. */
  wantedAt: number;
  /** Since when this is watched: before that, somebody may have wanted it unseen. */
  watchedSince: number;
  now: number;
  /** 0: it never sleeps, it is only woken. */
  idleMs: number;
}

export type IdleDecision = 'wake' | 'sleep' | 'stay';

/** Who waits writes every few seconds: an older wish is that of somebody who has left. Shorter than it takes to fall asleep, or it would wake at once. */
const wishLastsMs = (idleMs: number): number => Math.min(idleMs || Number.POSITIVE_INFINITY, 60_000);

export function decideIdle({ replicas, wantedAt, watchedSince, now, idleMs }: IdleFacts): IdleDecision {
  if (replicas === 0) return now - wantedAt < wishLastsMs(idleMs) ? 'wake' : 'stay';
  // More than one is the autoscaler's business.
  if (replicas > 1 || idleMs === 0) return 'stay';
  return now - Math.max(wantedAt, watchedSince) >= idleMs ? 'sleep' : 'stay';
}

export interface IdleOptions {
  scaler: Scaler;
  state: KeyValue;
  idleMs: number;
  /** Milliseconds since 1970. */
  now: () => number;
  log: Logger;
  signal: AbortSignal;
  /** How often it is looked at, beside every change of the key. */
  everyMs?: number;
}

/** Until aborted. Whatever fails is tried again at the next look. */
export async function keepScale(options: IdleOptions): Promise<void> {
  const { scaler, state, idleMs, now, log, signal, everyMs = 5000 } = options;
  const key = keys.activity('inference');
  const watchedSince = now();
  let wantedAt = 0;
  let looking: Promise<void> | undefined;

  const act = async (): Promise<void> => {
    const { replicas } = await scaler.get();
    const decision = decideIdle({ replicas, wantedAt, watchedSince, now: now(), idleMs });
    if (decision === 'stay') return;
    await scaler.scale(decision === 'wake' ? 1 : 0);
    log.info({ decision, wantedAt: wantedAt && new Date(wantedAt).toISOString() }, 'inference scaled');
  };
  const look = (): Promise<void> => {
    looking ??= act()
      .catch((error) => log.warn({ error }, `inference cannot be scaled for now: ${fromUnknown(error).message}`))
      .finally(() => {
        looking = undefined;
      });
    return looking;
  };
  const follow = async (): Promise<void> => {
    for await (const change of state.watch<Activity>(key, { signal })) {
      if (change.kind !== 'put') continue;
      wantedAt = Date.parse(change.value.wantedAt) || 0;
      await look();
    }
  };
  const tick = async (): Promise<void> => {
    for (;;) {
      await delay(everyMs, undefined, { signal });
      await look();
    }
  };
  const onFailure = (error: unknown): void => log.warn({ error }, 'the activity cannot be seen for now');
  await Promise.all([follow, tick].map((loop) => keepRunning(loop, { signal, onFailure, pauseMs: everyMs })));
}
