// One at a time: whoever comes later waits for those before.

export interface Turns {
  /** Resolves when it is this caller's turn; disposing ends the turn. `onWait` is called where it has to wait. */
  take(signal: AbortSignal, onWait: () => void): Promise<Disposable>;
}

export const createTurns = (): Turns => {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return {
    async take(signal, onWait) {
      const before = last;
      const { promise, resolve } = Promise.withResolvers<void>();
      last = Promise.all([before, promise]);
      const end = (): void => {
        waiting--;
        resolve();
      };
      if (waiting++ > 0) onWait();
      await Promise.race([before, aborted(signal)]);
      if (!signal.aborted) return { [Symbol.dispose]: end };
      end();
      throw signal.reason;
    },
  };
};

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
