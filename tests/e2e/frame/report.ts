// The closing table: how long cluster, images, chart and each story took, and what failed.

export interface Row {
  name: string;
  seconds: number;
  note: string;
}

/** Runs a step; adds its row to the table, also where it fails. `note` is what it gives. */
export async function timed<T>(rows: Row[], name: string, step: () => Promise<T>, note: (value: T) => string) {
  const started = performance.now();
  const row: Row = { name, seconds: 0, note: 'failed' };
  rows.push(row);
  console.log(`… ${name}`);
  try {
    const value = await step();
    row.note = note(value);
    return value;
  } finally {
    row.seconds = (performance.now() - started) / 1000;
    console.log(`  ${name}: ${row.note} (${row.seconds.toFixed(1)} s)`);
  }
}

/** Steps may have run beside each other: `total` is by the clock. */
export function toTable(rows: readonly Row[], total: number): string {
  const width = Math.max(...rows.map(({ name }) => name.length));
  const lines = [...rows, { name: 'total', seconds: total, note: '' }].map(({ name, seconds, note }) =>
    `${name.padEnd(width)}  ${seconds.toFixed(1).padStart(7)} s  ${note}`.trimEnd(),
  );
  return lines.join('\n');
}
