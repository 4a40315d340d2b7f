// Putting sequences of unequal length into few rectangles, so that few programs are compiled and little is padded.
import { bucketOf } from './batches.ts';

/** Rows of one program call: which sequences, padded to how many columns. */
export interface Group {
  readonly members: readonly number[];
  readonly columns: number;
}

/**
 * Every index of `lengths` in exactly one group. A group has 1, 4, 16, … rows of one bucket, and at most about `budget`
 * tokens; `limit` is the longest length allowed.
 */
export function groupByLength(
  lengths: readonly number[],
  { budget, limit }: { budget: number; limit: number },
): Group[] {
  const buckets = new Map<number, number[]>();
  for (const [index, length] of lengths.entries()) {
    const columns = bucketOf(length, limit);
    buckets.set(columns, [...(buckets.get(columns) ?? []), index]);
  }
  return [...buckets]
    .sort(([a], [b]) => a - b)
    .flatMap(([columns, members]) =>
      cut(members, Math.max(1, Math.floor(budget / columns))).map((part) => ({ members: part, columns })),
    );
}

/** Pieces of 1, 4, 16, … members, the largest first; none larger than `most`. */
function cut(members: readonly number[], most: number): number[][] {
  const pieces: number[][] = [];
  for (let start = 0; start < members.length; ) {
    const size = powerOf4(Math.min(most, members.length - start));
    pieces.push(members.slice(start, start + size));
    start += size;
  }
  return pieces;
}

/** The largest power of 4 that is at most `size`. */
const powerOf4 = (size: number): number => (size < 4 ? 1 : 4 * powerOf4(Math.floor(size / 4)));

/** The smallest power of 4 that is at least `size`, and at most `limit`. */
export const roomFor = (size: number, limit: number, room = 4): number =>
  room >= Math.min(size, limit) ? Math.min(room, limit) : roomFor(size, limit, room * 4);
