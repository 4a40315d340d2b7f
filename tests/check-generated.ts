// Generates the contracts into a folder of its own and compares them, byte for byte, with what is committed.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const buf = join(root, 'node_modules/.bin/buf');
const committed = join(root, 'lib/contracts/gen');

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

const folder = mkdtempSync(join(tmpdir(), 'strata-generated-'));
try {
  execFileSync(buf, ['generate', '--output', folder], { cwd: root });
  const fresh = join(folder, 'lib/contracts/gen');
  execFileSync(buf, ['build', '--output', join(fresh, 'descriptors.binpb')], { cwd: root });
  const names = [...new Set([...filesBelow(committed), ...filesBelow(fresh)])];
  const read = (base: string, name: string): string => {
    try {
      return readFileSync(join(base, name), 'base64');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'absent';
      throw error;
    }
  };
  const stale = names.filter((name) => read(committed, name) !== read(fresh, name));
  for (const name of stale)
    console.error(`lib/contracts/gen/${name} is not what proto/ gives: run \`make proto\` and commit it`);
  process.exitCode = stale.length ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
