// Several async streams as one, each item as soon as it is there.

/** Ends when all have ended; the first error ends it; leaving it early closes every source. */
export async function* merge<T>(sources: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  const pull = async (iterator: AsyncIterator<T>) => ({ iterator, result: await iterator.next() });
  const pulls = new Map(iterators.map((iterator) => [iterator, pull(iterator)]));
  try {
    while (pulls.size > 0) {
      const { iterator, result } = await Promise.race(pulls.values());
      if (result.done) pulls.delete(iterator);
      else {
        pulls.set(iterator, pull(iterator));
        yield result.value;
      }
    }
  } finally {
    for (const pending of pulls.values()) void pending.catch(() => undefined);
    for (const iterator of iterators) void iterator.return?.()?.catch(() => undefined);
  }
}
