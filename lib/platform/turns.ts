// One at a time: whoever comes later waits for those before, and too many are refused.
import { AppError } from './errors.ts';

export interface Turns {
  readonly running: number;
  readonly waiting: number;
  /**
   * Resolves when it is the caller's turn; disposing ends the turn. `onWait` is called where it has to wait.
   * Rejects with the signal's reason.
   * @throws {AppError} RESOURCE_EXHAUSTED where too many wait
   */
  take(signal: AbortSignal, onWait?: () => void): Promise<Disposable>;
}

export interface TurnsOptions {
  /** Default: any number. */
  maxWaiting?: number;
  /** For the message to those who are refused. */
  waitingFor?: string;
}

export function createTurns({ maxWaiting = Infinity, waitingFor = 'their turn' }: TurnsOptions = {}): Turns {
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
    async take(signal, onWait) {
      signal.throwIfAborted();
      if (running === 0 && queue.length === 0) return begin();
      if (queue.length >= maxWaiting) {
        const message = `${queue.length} requests wait for ${waitingFor} already: try again later`;
        throw new AppError('RESOURCE_EXHAUSTED', message);
      }
      onWait?.();
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
