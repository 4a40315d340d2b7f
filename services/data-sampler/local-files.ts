// Several objects as files of this machine at the same time.
import { inBatches } from '#lib/platform/in-batches.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';

const atOnce = 16;

/** Gives `use` their local paths, in the order of the keys; some are fetched at once, for each has to be asked for. */
export async function withLocalFiles<T>(
  objects: Pick<ObjectStore, 'withLocalFile'>,
  keys: readonly string[],
  use: (paths: string[]) => Promise<T>,
): Promise<T> {
  const over = Promise.withResolvers<void>();
  const loans: Promise<void>[] = [];
  const lend = (key: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const loan = objects.withLocalFile(key, (path) => {
        resolve(path);
        return over.promise;
      });
      loan.catch(reject);
      loans.push(loan);
    });
  try {
    return await use(await inBatches(keys, atOnce, lend));
  } finally {
    over.resolve();
    await Promise.allSettled(loans);
  }
}
