import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { libraryDir } from '../../tests/support/library-dir.ts';

/** A process that compiles one program twice, with attributes and constants in it. */
const program = (compileCacheDir: string) => `
  import { openEngine } from '#lib/tensor/engine.ts';
  const { tf, jit } = openEngine(${JSON.stringify({ libraryDir, compileCacheDir })});
  const x = tf.ones([2, 3]);
  for (const f of [1, 2].map(() => jit((a) => tf.matMul(a, a, false, true).mul(tf.tensor1d([2, 3])).transpose()))) f(x);
`;

test('the next process finds the compiled program: the same recording has the same name', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'strata-xla-'));
  const run = () =>
    execFileSync(process.execPath, ['--input-type=module', '-e', program(folder)], { encoding: 'utf8' });
  try {
    run();
    const first = readdirSync(folder);
    run();
    expect(first.length).toBeGreaterThan(0);
    expect(readdirSync(folder)).toEqual(first);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
