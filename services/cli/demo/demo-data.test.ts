import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { collectCorpus } from './corpus.ts';
import { instructionRows } from './signatures.ts';
import { labelledRows } from './snippets.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-corpus-'));
afterAll(() => rmSync(folder, { recursive: true }));

const prose =
  'This paragraph says in plain words what the package is for, and it goes on for long enough to count as prose.';
const declaration =
  'export interface Options {\n  /** How many times the call is repeated before it fails. */\n  readonly retries: number;\n  readonly delayMs: number;\n}\n';

const files: Record<string, string> = {
  'a/README.md': `# a\n\n${prose}\n\n\`\`\`js\nconst code = 'is no prose';\n\`\`\`\n\n| a | table |\n\n${'- a list item\n'.repeat(20)}`,
  'a/index.d.ts': `${declaration}\n/** Adds two numbers and returns their sum. More words. */\nexport declare function add(a: number, b: number): number;\n`,
  'a/index.js': 'not taken',
  'b/LICENSE.md': prose.repeat(3),
  'b/CHANGELOG.md': prose.repeat(3),
  'b/notes.md': `${prose.replace('package', 'library')}\n\n${'- a list item\n'.repeat(20)}`,
};
for (const [path, text] of Object.entries(files)) {
  mkdirSync(join(folder, dirname(path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

const collect = (maxBytesPerKind = 1e6) => collectCorpus({ folder, maxBytesPerKind });

test('documentation and declarations are taken; licences, change logs and programs are not', () => {
  expect(
    collect()
      .map(({ path }) => path)
      .sort(),
  ).toEqual(['a/README.md', 'a/index.d.ts', 'b/notes.md']);
});

test('the same files come in the same order', () => {
  expect(collect()).toEqual(collect());
});

test('no more bytes are taken than allowed', () => {
  expect(collect(100)).toEqual([]);
});

test('labelled rows are paragraphs of prose and declarations without their comments', () => {
  const rows = labelledRows(collect(), 10);
  expect(rows.map(({ label }) => label)).toEqual(['documentation', 'code', 'documentation', 'code']);
  expect(rows[1]?.text).toContain('readonly retries');
  expect(JSON.stringify(rows)).not.toMatch(/is no prose|How many times|\| a/);
});

test('instruction rows pair a declaration with the first sentence of its comment', () => {
  const pairs = instructionRows(collect(), 10).map(({ input, output }) => [input, output]);
  expect(pairs).toEqual([
    ['readonly retries: number', 'How many times the call is repeated before it fails.'],
    ['export declare function add(a: number, b: number): number', 'Adds two numbers and returns their sum.'],
  ]);
});
