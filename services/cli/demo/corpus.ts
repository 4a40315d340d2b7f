// The demo's own text: documentation and type declarations of the installed dependencies. Real English and TypeScript, no network, no licence worry.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface Document {
  /** Path below node_modules. */
  path: string;
  kind: 'documentation' | 'code';
  text: string;
}

export interface CorpusOptions {
  /** A folder of installed packages. */
  folder: string;
  /** Most bytes of each kind. */
  maxBytesPerKind: number;
}

const largestFileBytes = 200_000;
const smallestFileBytes = 200;
const notProse = /(^|\/)(license|licence|changelog|history|security|contributors|third)[^/]*\.md$/i;

const kindOf = (path: string): Document['kind'] | undefined => {
  if (path.endsWith('.d.ts')) return 'code';
  return path.endsWith('.md') && !notProse.test(path) ? 'documentation' : undefined;
};

function* filesBelow(folder: string): Generator<string> {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    if (entry.isFile()) yield path;
  }
}

/** The order in which files are taken: by the hash of their path, so that no package crowds the others out. */
const rank = (path: string): string => createHash('sha256').update(path).digest('hex');

/** The same files in the same order on every machine that has installed the same lock file. */
export function collectCorpus({ folder, maxBytesPerKind }: CorpusOptions): Document[] {
  const candidates = [...filesBelow(folder)]
    .map((path) => ({ path: relative(folder, path).replaceAll('\\', '/'), kind: kindOf(path) }))
    .filter((one): one is { path: string; kind: Document['kind'] } => one.kind !== undefined)
    .sort((a, b) => (rank(a.path) < rank(b.path) ? -1 : 1));
  const left = { documentation: maxBytesPerKind, code: maxBytesPerKind };
  const documents: Document[] = [];
  for (const { path, kind } of candidates) {
    const size = statSync(join(folder, path)).size;
    if (size < smallestFileBytes || size > Math.min(largestFileBytes, left[kind])) continue;
    left[kind] -= size;
    documents.push({ path, kind, text: readFileSync(join(folder, path), 'utf8') });
  }
  return documents;
}
