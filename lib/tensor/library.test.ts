import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { LibraryError } from './errors.ts';
import { loadLibrary } from './library.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'strata-library-'));
afterAll(() => rmSync(folder, { recursive: true }));

const isMac = process.platform === 'darwin';
const fileOf = (stem: string) => path.join(folder, isMac ? `${stem}.2.dylib` : `${stem}.so.2`);
const files = ['libtensorflow_framework', 'libtensorflow_cc'].map(fileOf);
const load = () => loadLibrary(folder, {});
const remedy = '`make tools TOOL=libtensorflow` gets it';

test('a missing library is an error with the command that gets it', () => {
  expect(load).toThrow(LibraryError);
  expect(load).toThrow(`libtensorflow is not installed: no ${files[0]}; ${remedy}`);
});

test('a damaged library is an error that says what the loader found', () => {
  for (const file of files) writeFileSync(file, 'not a library');
  expect(load).toThrow(LibraryError);
  expect(load).toThrow(/cannot be loaded: .*libtensorflow_framework/);
  expect(load).toThrow(remedy);
});

test('some other library under that name is an error that names what it lacks', () => {
  const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] };
  const other = sharedObjects.find((file) => /lib(m|System\.B)\.(so|dylib)/.test(file)) as string;
  for (const file of files) {
    rmSync(file, { force: true });
    if (isMac) symlinkSync(other, file);
    else copyFileSync(other, file);
  }
  expect(load).toThrow(LibraryError);
  expect(load).toThrow(/is not the TensorFlow 2\.21 the engine needs/);
});
