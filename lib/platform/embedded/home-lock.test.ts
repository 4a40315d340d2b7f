import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { lockHome, readHolder } from './home-lock.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'strata-home-'));
});
afterEach(() => rm(home, { recursive: true }));

/** A process that takes the home and holds it. */
async function spawnHolder() {
  const lock = new URL('./home-lock.ts', import.meta.url).href;
  const program = `const { lockHome } = await import('${lock}'); lockHome('${home}').announce({ trainer: 'a:1' }); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

test('one process holds a home, others learn who and where', async () => {
  const child = await spawnHolder();
  expect(() => lockHome(home)).toThrow(
    expect.objectContaining({
      code: 'FAILED_PRECONDITION',
      message: expect.stringMatching(
        new RegExp(`the services of ${home} run already \\(process ${child.pid}, since 2`),
      ),
    }),
  );
  expect(readHolder(home)).toMatchObject({ pid: child.pid, addresses: { trainer: 'a:1' } });
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('a holder that is killed has let go at once', async () => {
  const child = await spawnHolder();
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(readHolder(home)).toBeUndefined();
  const lock = lockHome(home);
  expect(readHolder(home)).toMatchObject({ pid: process.pid, addresses: {} });
  lock.release();
  expect(readHolder(home)).toBeUndefined();
  lockHome(home).release();
});

test('the same process cannot take a home twice either', () => {
  const lock = lockHome(home);
  expect(() => lockHome(home)).toThrow(/run already/);
  lock.release();
});
