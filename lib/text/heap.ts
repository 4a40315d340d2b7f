// A binary heap: pop() gives an item that no other comes before.

export interface Heap<T> {
  size(): number;
  push(item: T): void;
  /** The first; only while size() > 0. */
  pop(): T;
}

export const createHeap = <T>(comesBefore: (a: T, b: T) => boolean): Heap<T> => {
  const items: T[] = [];

  const siftUp = (item: T): void => {
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!comesBefore(item, items[parent] as T)) break;
      items[at] = items[parent] as T;
      at = parent;
    }
    items[at] = item;
  };
  const siftDown = (item: T): void => {
    const size = items.length;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && comesBefore(items[child + 1] as T, items[child] as T)) child++;
      if (!comesBefore(items[child] as T, item)) break;
      items[at] = items[child] as T;
      at = child;
    }
    items[at] = item;
  };

  return {
    size: () => items.length,
    push: siftUp,
    pop: () => {
      const first = items[0] as T;
      const last = items.pop() as T;
      if (items.length > 0) siftDown(last);
      return first;
    },
  };
};
