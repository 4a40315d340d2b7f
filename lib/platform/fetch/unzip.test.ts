import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { unzip } from './unzip.ts';
import { zipOf } from './zip.fixture.ts';

test('what is executable in the archive is executable outside, and nothing else is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strata-unzip-'));
  const archive = join(folder, 'archive');
  await writeFile(archive, zipOf({ 'bin/program': '#!/bin/sh\n', 'share/notes': 'text' }));
  const files = await unzip(archive, { what: 'thing', target: (member) => join(folder, basename(member)) });
  const modes = await Promise.all(files.map(async (file) => (await stat(file)).mode & 0o111));
  expect(files.map((file) => basename(file))).toEqual(['program', 'notes']);
  expect(modes.map((mode) => mode !== 0)).toEqual([true, false]);
  expect(await readFile(join(folder, 'notes'), 'utf8')).toBe('text');
  await rm(folder, { recursive: true });
});

test('a member of a folder that is not there yet makes it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strata-unzip-'));
  const archive = join(folder, 'archive');
  await writeFile(archive, zipOf({ 'go/src/fmt/print.go': 'package fmt' }));
  await unzip(archive, { what: 'go', target: (member) => join(folder, member.slice('go/'.length)) });
  expect(await readFile(join(folder, 'src/fmt/print.go'), 'utf8')).toBe('package fmt');
  await rm(folder, { recursive: true });
});
