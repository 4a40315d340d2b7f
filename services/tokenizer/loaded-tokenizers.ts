// Which tokenizers are loaded: at most `limit` that nobody uses, the least recently used one is dropped first.
import type { Description } from './describe.ts';

export interface LoadedTokenizers {
  /** Loads what is not there; it stays until the lease is disposed, at least. */
  take(key: string): Promise<Lease>;
}

export interface Lease extends Disposable {
  readonly description: Description;
}

export interface LoadedTokenizersOptions {
  limit: number;
  load: (key: string) => Promise<Description>;
  unload: (key: string) => void;
}

interface Entry {
  readonly description: Promise<Description>;
  users: number;
}

export const createLoadedTokenizers = ({ limit, load, unload }: LoadedTokenizersOptions): LoadedTokenizers => {
  /** In order of use, the latest last. */
  const entries = new Map<string, Entry>();

  const makeRoom = (): void => {
    for (const [key, entry] of entries) {
      if (entries.size <= limit) return;
      if (entry.users > 0) continue;
      entries.delete(key);
      unload(key);
    }
  };
  const touch = (key: string): Entry => {
    const entry = entries.get(key) ?? { description: load(key), users: 0 };
    entries.delete(key);
    entries.set(key, entry);
    entry.users++;
    return entry;
  };

  return {
    async take(key) {
      const entry = touch(key);
      const release = (): void => {
        entry.users--;
        makeRoom();
      };
      try {
        return { description: await entry.description, [Symbol.dispose]: release };
      } catch (error) {
        entries.delete(key); // the next one tries again
        release();
        throw error;
      }
    },
  };
};
