// Many small things at once, but not all.

/** Does `work` for every item, so many at a time; what came of each, in the order of the items. */
export async function inBatches<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  size: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let batch: T[] = [];
  const doBatch = async (): Promise<void> => {
    for (const result of await Promise.all(batch.map(work))) results.push(result);
    batch = [];
  };
  for await (const item of items) if (batch.push(item) === size) await doBatch();
  await doBatch();
  return results;
}
