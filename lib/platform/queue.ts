// From callbacks to an async iterable: push on one side, `for await` on the other.
export interface Queue<T> extends AsyncIterable<T> {
  push(item: T): void;
  /** Ends it after what was pushed. */
  end(): void;
  /** Ends it at once with an error; what was pushed and not yet read is lost. */
  fail(error: unknown): void;
}

/** One reader; unbounded, so whoever pushes has to be held back by other means. */
export function createQueue<T>(): Queue<T> {
  const items: T[] = [];
  let outcome: { error?: unknown; failed: boolean } | undefined;
  let wake = (): void => undefined;
  const finish = (failed: boolean, error?: unknown): void => {
    outcome ??= { failed, error };
    wake();
  };
  return {
    push(item) {
      if (outcome) return;
      items.push(item);
      wake();
    },
    end: () => finish(false),
    fail: (error) => finish(true, error),
    async *[Symbol.asyncIterator]() {
      for (;;) {
        if (outcome?.failed) throw outcome.error;
        if (items.length) yield items.shift() as T;
        else if (outcome) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}
