// One model computes one request at a time; others wait their turn, and too many are refused.
import { AppError } from '#lib/platform/errors.ts';

export interface Turns {
  readonly running: number;
  readonly waiting: number;
  /** Resolves when it is one's turn, with what ends it. RESOURCE_EXHAUSTED where too many wait; rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<Disposable>;
}

export function createTurns(maxWaiting: number): Turns {
  const queue: (() => void)[] = [];
  let running = 0;
  const end = (): void => {
    running -= 1;
    queue.shift()?.();
  };
  const begin = (): Disposable => {
    running += 1;
    let isOver = false;
    return {
      [Symbol.dispose]: () => {
        if (!isOver) end();
        isOver = true;
      },
    };
  };

  return {
    get running() {
      return running;
    },
    get waiting() {
      return queue.length;
    },
    async take(signal) {
      signal.throwIfAborted();
      if (running === 0 && queue.length === 0) return begin();
      if (queue.length >= maxWaiting) {
        throw new AppError(
          'RESOURCE_EXHAUSTED',
          `${queue.length} requests wait for this model already: try again later`,
        );
      }
      return new Promise((resolve, reject) => {
        const start = (): void => {
          signal.removeEventListener('abort', leave);
          resolve(begin());
        };
        const leave = (): void => {
          queue.splice(queue.indexOf(start), 1);
          reject(signal.reason);
        };
        signal.addEventListener('abort', leave, { once: true });
        queue.push(start);
      });
    },
  };
}
