// A latch for loops that look, find nothing, and sleep until told: a call while the loop is looking is not lost.
export interface Wake {
  readonly call: () => void;
  /** Returns after the next `call`, one since the last wait, `timeoutMs`, or the abort of the signal. */
  wait(timeoutMs?: number): Promise<void>;
}

export function createWake(signal: AbortSignal): Wake {
  let called = false;
  let release = (): void => undefined;
  const call = (): void => {
    called = true;
    release();
  };
  signal.addEventListener('abort', call, { once: true });
  const wait = async (timeoutMs?: number): Promise<void> => {
    if (!called && !signal.aborted) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        release = resolve;
        if (timeoutMs !== undefined) timer = setTimeout(resolve, timeoutMs);
      });
      clearTimeout(timer);
    }
    called = false;
  };
  return { call, wait };
}
