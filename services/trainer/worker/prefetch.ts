// Reads an async stream ahead of its reader.

/** Keeps up to `depth` items at hand. The reader gets them in order; an error comes after the items before it. Leaving early closes the source. */
export async function* prefetch<T>(source: AsyncIterable<T>, depth: number): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  const ahead: Promise<IteratorResult<T>>[] = [];
  const pull = (): void => {
    const next = iterator.next();
    next.catch(() => undefined); // whoever reads it sees the error
    ahead.push(next);
  };
  try {
    for (;;) {
      while (ahead.length < depth) pull();
      const { done, value } = (await ahead.shift()) as IteratorResult<T>;
      if (done) return;
      yield value;
    }
  } finally {
    void iterator.return?.().catch(() => undefined); // it answers only after what was asked for before
  }
}
