import { expect, test } from '@jest/globals';
import { keepRunning } from './keep-running.ts';

test('a loop that fails or ends begins anew, and an abort ends it without a failure', async () => {
  const stopping = new AbortController();
  const failures: unknown[] = [];
  let rounds = 0;
  await keepRunning(
    async () => {
      rounds += 1;
      if (rounds === 1) throw new Error('away');
      if (rounds === 2) return;
      stopping.abort();
      stopping.signal.throwIfAborted();
    },
    { signal: stopping.signal, onFailure: (error) => failures.push(error), pauseMs: 1 },
  );
  expect(rounds).toBe(3);
  expect(failures).toEqual([new Error('away')]);
});

test('an abort ends the pause too', async () => {
  const stopping = new AbortController();
  const kept = keepRunning(async () => void setTimeout(() => stopping.abort(), 1), {
    signal: stopping.signal,
    onFailure: () => undefined,
    pauseMs: 2 ** 30,
  });
  await expect(kept).resolves.toBeUndefined();
});
