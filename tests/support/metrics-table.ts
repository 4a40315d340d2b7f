// The metrics that docs/observability.md promises: rows of its tables whose first cell is a name.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DocumentedMetric {
  name: string;
  type: string;
  labels: string[];
}

/** `| \`name\` | type | \`label\`, \`label\` | meaning |` */
const row = /^\| `([a-z_]+)` +\| (counter|gauge|histogram) +\| ([^|]*)\| [^|]+\|$/gm;

export function readMetricsTable(): DocumentedMetric[] {
  const text = readFileSync(join(__dirname, '../../docs/observability.md'), 'utf8');
  return [...text.matchAll(row)].map(([, name = '', type = '', labels = '']) => ({
    name,
    type,
    labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
  }));
}
