// Scale from zero: a request that finds inference away is held, the wish for it written down, and the request sent once inference is there.
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@grpc/grpc-js';
import type { InferenceServiceClient } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { createActivity } from '#lib/platform/activity.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { DeadlineOption } from '#lib/platform/grpc-client.ts';
import { isUnreachable } from '#lib/platform/grpc-status.ts';
import type { KeyValue } from '#lib/platform/key-value.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { Metrics } from '#lib/platform/telemetry/metrics.ts';

export interface HoldOptions {
  state: KeyValue;
  log: Logger;
  metrics: Metrics;
  /** The longest that a request is held. */
  holdMs: number;
  /** Between two looks whether inference is there. */
  pauseMs?: number;
}

export interface CallOptions extends DeadlineOption {
  signal?: AbortSignal;
}

export type Hold = ReturnType<typeof createHold>;

type Inference = Pick<InferenceServiceClient<DeadlineOption>, 'generate' | 'chat' | 'score'>;

/** While requests are held the wish is written so often: the orchestrator takes an older one for that of somebody who has left. */
const wishEveryMs = 5000;

/** The client whose calls wait for inference. What has begun is never sent again: only a call without any answer is. */
export function holdWhileAway<T extends Inference>(inference: T, hold: Hold): T {
  const { generate, chat, score } = inference;
  return {
    ...inference,
    generate: (request, options) => hold.stream((rest) => generate(request, rest), options),
    chat: (request, options) => hold.stream((rest) => chat(request, rest), options),
    score: (request, options) => hold.unary((rest) => score(request, rest), options),
  };
}

export function createHold({ state, log, metrics, holdMs, pauseMs = 250 }: HoldOptions) {
  const held = metrics.gauge('strata_gateway_requests_held', { help: 'Requests that wait for inference to start.' });
  held.add({}, 0);
  const wish = createActivity('inference', { state, log, everyMs: wishEveryMs });

  /** Calls until somebody is there, within the caller's deadline and ours; the caller's leaving ends it at once. */
  async function unary<T>(call: (options: CallOptions) => Promise<T>, options: CallOptions = {}): Promise<T> {
    const { signal, deadlineMs = Number.POSITIVE_INFINITY } = options;
    const started = performance.now();
    let isHeld = false;
    try {
      for (;;) {
        const waited = performance.now() - started;
        try {
          return await call(options.deadlineMs ? { ...options, deadlineMs: deadlineMs - waited } : options);
        } catch (error) {
          signal?.throwIfAborted();
          if (!isUnreachable(error)) throw error;
          if (waited + pauseMs >= deadlineMs) throw tooLate(deadlineMs, error);
          if (waited >= holdMs) throw gaveUp(holdMs, error);
        }
        if (!isHeld) held.add({}, 1);
        isHeld = true;
        await wish();
        await delay(pauseMs, undefined, signal ? { signal } : {});
      }
    } finally {
      if (isHeld) {
        held.add({}, -1);
        log.info({ heldMs: Math.round(performance.now() - started) }, 'a request was held, as inference was away');
      }
    }
  }

  /** The first response decides whether anybody was there. */
  async function* stream<T>(call: (options: CallOptions) => AsyncIterable<T>, options?: CallOptions) {
    const { iterator, first } = await unary(async (rest) => {
      const iterator = call(rest)[Symbol.asyncIterator]();
      return { iterator, first: await iterator.next() };
    }, options);
    try {
      for (let next = first; !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }

  /** For calls that are relayed as they are: returns once there is a connection, at once where there is one already. */
  const connected = (client: Client, options: CallOptions): Promise<void> => unary(() => connect(client), options);

  return { unary, stream, connected };
}

const connect = (client: Client): Promise<void> =>
  new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + 1000, (cause) => {
      if (!cause) return resolve();
      const details = { unreachable: client.getChannel().getTarget() };
      reject(new AppError('UNAVAILABLE', 'inference cannot be reached', { cause, details }));
    });
  });

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

const gaveUp = (holdMs: number, cause: unknown): AppError =>
  new AppError('UNAVAILABLE', `inference did not start within ${seconds(holdMs)}; try again`, { cause });

const tooLate = (deadlineMs: number, cause: unknown): AppError =>
  new AppError('DEADLINE_EXCEEDED', `inference did not start within the request's ${seconds(deadlineMs)}`, { cause });
