import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { dataDir, testWithData } from '../../tests/support/data-dir.ts';
import { createProgressLine } from './progress-line.ts';

let cache = '';
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'strata-main-'));
});
afterAll(() => rm(cache, { recursive: true }));

const run = (...args: string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    const env = { ...process.env, STRATA_CACHE_DIR: cache, STRATA_DATA_DIR: dataDir ?? '' };
    execFile(process.execPath, [join(__dirname, 'main.ts'), ...args], { env }, (error, out, err) => {
      resolve({ code: Number(error?.code ?? 0), out, err });
    });
  });

test('a wrong call is answered with the usage and exit code 2, help with 0', async () => {
  expect(await run('tool')).toMatchObject({ code: 2, err: expect.stringContaining('usage:') });
  expect(await run('--help')).toMatchObject({ code: 0, out: expect.stringContaining('usage:') });
});

test('an unknown name is one line and exit code 1', async () => {
  expect(await run('data', 'no-such')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^strata: catalogue entry "no-such" does not exist; there are tiny-shakespeare, .*\n$/),
  });
});

testWithData('an entry is fetched, found again and marked in the list', async () => {
  const file = join(cache, 'data/the-verdict/the-verdict.txt');
  expect(await run('data', 'the-verdict')).toMatchObject({ code: 0, out: `${file}\n` });
  expect(await run('data', 'the-verdict')).toEqual({ code: 0, out: `${file}\n`, err: '' });
  expect((await run('--list')).out).toMatch(/^\* the-verdict .* public domain/m);
});

test('progress is one line on a terminal and a line a phase elsewhere', () => {
  const show = (isTTY: boolean) => {
    let text = '';
    let time = 0;
    const line = createProgressLine({ isTTY, write: (part) => (text += part) }, () => (time += 40));
    for (let doneBytes = 0; doneBytes <= 4e6; doneBytes += 1e6) {
      line.show({ what: 'a', phase: 'downloading', doneBytes, totalBytes: 4e6 });
    }
    line.show({ what: 'a', phase: 'unpacking', doneBytes: 1e6, totalBytes: 0 });
    line.end();
    return text;
  };
  expect(show(false)).toBe('a: downloading   0 % of 4 MB\na: unpacking 1 MB\n');
  const drawn = ['a: downloading   0 % of 4 MB', 'a: downloading  75 % of 4 MB', 'a: downloading 100 % of 4 MB', ''];
  expect(show(true)).toBe(drawn.map((text) => `\r\x1b[2K${text}`).join(''));
});
