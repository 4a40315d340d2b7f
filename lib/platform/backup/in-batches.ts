// Many small things at once, but not all.

/** Does `work` for every item, so many at a time. */
export async function inBatches<T>(
  items: Iterable<T> | AsyncIterable<T>,
  size: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  let batch: T[] = [];
  for await (const item of items) {
    if (batch.push(item) < size) continue;
    await Promise.all(batch.map(work));
    batch = [];
  }
  await Promise.all(batch.map(work));
}
