// Counts what was left out and why, and remembers where the first of each kind stood.
import type { DropReason } from './data-error.ts';

export interface DroppedRow {
  reason: DropReason;
  source: string;
  line: number;
  /** More than the reason, where there is more to say. */
  detail?: string | undefined;
}

export interface Census {
  seen(): void;
  drop(row: DroppedRow): void;
  readonly rows: number;
  readonly dropped: Record<string, number>;
  readonly first: DroppedRow[];
  /** "duplicate 3 (first: a.jsonl line 7), …" */
  describe(): string;
}

const remembered = 5;

export function createCensus(): Census {
  let rows = 0;
  const dropped: Record<string, number> = {};
  const first: DroppedRow[] = [];
  return {
    get rows() {
      return rows;
    },
    dropped,
    first,
    seen: () => {
      rows++;
    },
    drop: (row) => {
      const count = (dropped[row.reason] ?? 0) + 1;
      dropped[row.reason] = count;
      if (count <= remembered) first.push(row);
    },
    describe: () =>
      Object.entries(dropped)
        .map(([reason, count]) => {
          const { source, line, detail } = first.find((row) => row.reason === reason) as DroppedRow;
          return `${reason} ${count} (first: ${source} line ${line}${detail ? `: ${detail}` : ''})`;
        })
        .join(', '),
  };
}
