// Ids as they are found: an Int32Array that grows.

export interface IdBuffer {
  push(id: number): void;
  pushAll(ids: Int32Array, count: number): void;
  /** A copy of what was pushed. */
  toArray(): Int32Array;
}

export const createIdBuffer = (capacity: number): IdBuffer => {
  let ids = new Int32Array(Math.max(16, capacity));
  let length = 0;
  const reserve = (count: number): void => {
    if (length + count <= ids.length) return;
    const larger = new Int32Array(Math.max(ids.length * 2, length + count));
    larger.set(ids);
    ids = larger;
  };
  return {
    push: (id) => {
      reserve(1);
      ids[length++] = id;
    },
    pushAll: (more, count) => {
      reserve(count);
      for (let i = 0; i < count; i++) ids[length++] = more[i] as number;
    },
    toArray: () => ids.slice(0, length),
  };
};
