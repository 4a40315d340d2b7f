import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import type { OnnxGraph } from './onnx.ts';
import { loadOrt, OrtError, openOrt, ortLibraryPath } from './ort.ts';
import { createTensor, Session } from './session.ts';

/** y = x + c, for x of any number of rows. */
const graph = (op = 'Add'): OnnxGraph => ({
  inputs: [{ name: 'x', type: 'float32', shape: ['rows', 2] }],
  outputs: [{ name: 'y', type: 'float32', shape: ['rows', 2] }],
  nodes: [{ op, domain: '', inputs: ['x', 'c'], outputs: ['y'], attributes: {} }],
  initializers: new Map([['c', { shape: [2], data: Float32Array.of(10, 20) }]]),
});

test('a run reads and writes our own arrays, and what is bound anew takes the place of the old', () => {
  using session = new Session(openOrt(), graph(), { threads: 1 });
  using binding = session.bind();
  const x = createTensor('float32', [1, 2]);
  const y = createTensor('float32', [1, 2]);
  binding.input('x', x);
  binding.output('y', y);
  x.data.set([1, 2]);
  binding.run();
  expect([...y.data]).toEqual([11, 22]);
  x.data.set([3, 4]);
  binding.run();
  expect([...y.data]).toEqual([13, 24]);

  const rows = createTensor('float32', [3, 2]);
  binding.input('x', rows);
  binding.output('y', rows); // in place
  rows.data.set([1, 1, 2, 2, 3, 3]);
  binding.run();
  expect([...rows.data]).toEqual([11, 21, 12, 22, 13, 23]);
  expect([...y.data]).toEqual([13, 24]);
});

test('sessions give their memory back', () => {
  const shape = [2048, 4096]; // 32 MB, and as much again in the form that products read
  const data = new Float32Array(2048 * 4096);
  const product = (): OnnxGraph => ({ ...graph('MatMul'), initializers: new Map([['c', { shape, data }]]) });
  const load = () => new Session(openOrt(), resized(product(), shape), { threads: 1 })[Symbol.dispose]();
  load();
  const before = process.memoryUsage.rss();
  for (let i = 0; i < 8; i++) load();
  expect(process.memoryUsage.rss() - before).toBeLessThan(4 * data.byteLength);
});

const resized = (from: OnnxGraph, [inner = 0, outer = 0]: number[]): OnnxGraph => ({
  ...from,
  inputs: [{ name: 'x', type: 'float32', shape: ['rows', inner] }],
  outputs: [{ name: 'y', type: 'float32', shape: ['rows', outer] }],
});

test('a graph that makes no sense, and an input that does not fit, are errors that say what is wrong', () => {
  expect(() => new Session(openOrt(), graph('Ad'))).toThrow(/ONNX Runtime: .*\bAd\b/);
  using session = new Session(openOrt(), graph());
  using binding = session.bind();
  binding.input('x', createTensor('float32', [1, 3]));
  binding.output('y', createTensor('float32', [1, 3]));
  expect(() => binding.run()).toThrow(OrtError);
  using other = session.bind();
  expect(() => other.input('z', createTensor('float32', [1, 2]))).toThrow(OrtError);
});

test('the library is the one in onnxruntime-node; a missing, a broken and a wrong one are told, with the way out', async () => {
  expect(openOrt().version).toMatch(/^1\.\d+\.\d+$/);
  expect(ortLibraryPath()).toContain(path.join('onnxruntime-node', 'bin'));
  expect(() => loadOrt('/nowhere/libonnxruntime.so')).toThrow(
    'ONNX Runtime is not installed: no /nowhere/libonnxruntime.so; `npm ci --ignore-scripts` installs it',
  );
  const broken = path.join(tmpdir(), `strata-no-library-${process.pid}.so`);
  await writeFile(broken, 'not a library');
  expect(() => loadOrt(broken)).toThrow(/ONNX Runtime cannot be loaded: .*`npm ci/);
  const { sharedObjects } = process.report.getReport() as { sharedObjects: string[] };
  const other = sharedObjects.find((file) => /libc\.so|libSystem/.test(file)) as string;
  expect(() => loadOrt(other)).toThrow(`${other} is not ONNX Runtime; \`npm ci --ignore-scripts\` installs it`);
});

test("ONNX Runtime's telemetry is off: it leaves nothing in the home folder, opened in a thread as services do", async () => {
  const home = await mkdtemp(path.join(tmpdir(), 'strata-quiet-'));
  const program = new URL('./telemetry.fixture.ts', import.meta.url).pathname;
  const env = { HOME: home, TMPDIR: home };
  await promisify(execFile)(process.execPath, [program], { env });
  expect(await readdir(home, { recursive: true })).toEqual([]);
  await rm(home, { recursive: true });
});
