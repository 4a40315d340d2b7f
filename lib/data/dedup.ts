// Exact de-duplication: remembers the first 16 bytes of each text's SHA-256 in an open-addressing table, about 40 bytes a text, whatever its length.
import { createHash } from 'node:crypto';

export interface Deduplicator {
  readonly size: number;
  /** Whether this text is new; from now on it is not. Space around it does not count. */
  add(text: string): boolean;
}

const words = 4;

export function createDeduplicator(): Deduplicator {
  let capacity = 1 << 10;
  let table = new Uint32Array(capacity * words);
  let size = 0;

  /** The slot that holds the key, or the empty one where it belongs. */
  const slotOf = (key: Uint32Array): number => {
    for (let slot = (key[0] as number) % capacity; ; slot = (slot + 1) % capacity) {
      const held = table.subarray(slot * words, (slot + 1) * words);
      if (isEmpty(held) || held.every((word, i) => word === key[i])) return slot;
    }
  };
  const grow = (): void => {
    const old = table;
    capacity *= 2;
    table = new Uint32Array(capacity * words);
    for (let at = 0; at < old.length; at += words) {
      const key = old.subarray(at, at + words);
      if (!isEmpty(key)) table.set(key, slotOf(key) * words);
    }
  };
  return {
    get size() {
      return size;
    },
    add: (text) => {
      const key = keyOf(text.trim());
      const at = slotOf(key) * words;
      if (!isEmpty(table.subarray(at, at + words))) return false;
      table.set(key, at);
      size++;
      if (size * 2 > capacity) grow();
      return true;
    },
  };
}

const isEmpty = (key: Uint32Array): boolean => key.every((word) => word === 0);

const keyOf = (text: string): Uint32Array => {
  const digest = createHash('sha256').update(text).digest();
  return Uint32Array.from({ length: words }, (_, i) => digest.readUInt32LE(4 * i));
};
