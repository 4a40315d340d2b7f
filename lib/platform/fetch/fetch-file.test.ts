import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { testWithData } from '../../../tests/support/data-dir.ts';
import { bookSplit } from './book-split.ts';
import { download } from './download.ts';
import { fetchFile } from './fetch-file.ts';
import { downloadWheel } from './pip.ts';
import type { FetchProgress } from './progress.ts';
import type { Source, SourceFile, Wheel } from './tables.ts';
import { unzip } from './unzip.ts';
import { zipOf } from './zip.fixture.ts';

let root = '';
let folder = '';
let server: Server;
let address = '';
const wheelBytes = zipOf({ 'thing/other.txt': 'no', 'thing/a.txt': 'hello', 'thing/b.txt': 'x'.repeat(5000) });

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'strata-fetch-'));
  server = createServer((request, response) => {
    const bodies: Record<string, string | Buffer> = { '/a.txt': 'hello', '/a.zip': wheelBytes, '/other.txt': 'other' };
    const body = bodies[request.url ?? ''];
    response.writeHead(body ? 200 : 404).end(body);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(async () => {
  folder = await mkdtemp(join(root, 'f-'));
});
afterAll(async () => {
  server.close();
  await rm(root, { recursive: true });
});

const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');
const fileFrom = (...sources: Source[]): SourceFile => ({
  path: 'a.txt',
  sha256: sha256('hello'),
  size_bytes: 5,
  sources,
});
const url = (path: string, member?: string): Source => ({
  from: 'url',
  url: `${address}${path}`,
  ...(member && { member }),
});
const own: Source = { from: 'data-dir', path: 'mine/a.txt' };
const fetched = () => readFile(join(folder, 'a.txt'), 'utf8');

test("a file in the user's own folder comes first", async () => {
  const dataDir = join(folder, 'data');
  await mkdir(join(dataDir, 'mine'), { recursive: true });
  await writeFile(join(dataDir, 'mine/a.txt'), 'hello');
  await fetchFile(fileFrom(own, url('/missing')), { dataDir, folder });
  expect(await fetched()).toBe('hello');
});

test('a source that has another file is passed over for the next', async () => {
  const dataDir = join(folder, 'data');
  await mkdir(join(dataDir, 'mine'), { recursive: true });
  await writeFile(join(dataDir, 'mine/a.txt'), 'HELLO');
  const progress: FetchProgress[] = [];
  await fetchFile(fileFrom(own, url('/other.txt'), url('/a.txt')), {
    dataDir,
    folder,
    onProgress: (p) => progress.push(p),
  });
  expect(await fetched()).toBe('hello');
  expect(progress.at(-1)).toEqual({ what: 'a.txt', phase: 'checking', doneBytes: 5, totalBytes: 5 });
});

test('a member of an archive behind an address is taken out, and the archive removed', async () => {
  await fetchFile(fileFrom(url('/a.zip', 'thing/a.txt')), { dataDir: '', folder });
  expect([await fetched(), await readdir(folder)]).toEqual(['hello', ['a.txt']]);
});

test('where no source has the file, the error says what each answered and what to do', async () => {
  const closed: Source = { from: 'url', url: 'http://127.0.0.1:1/a.txt' };
  const all = fileFrom(own, url('/missing'), url('/other.txt'), url('/a.zip', 'nothing'), url('/a.txt', 'x'), closed);
  const failed = fetchFile(all, { dataDir: join(folder, 'no'), folder });
  await expect(failed).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  const message = await failed.catch((error) => error.message);
  for (const part of [
    `own data: there is no ${join(folder, 'no/mine/a.txt')}`,
    '/missing: the server answered 404',
    `SHA-256 ${sha256('other')} instead of ${sha256('hello')}`,
    'a.txt does not hold what is looked for in it',
    'a.txt is no zip archive',
    'no connection (',
    'put it at mine/a.txt in a folder of yours',
  ]) {
    expect(message).toContain(part);
  }
  expect(await readdir(folder)).toEqual([]);
});

test('an abort ends a download at once', async () => {
  const options = { what: 'a', sizeBytes: 5, signal: AbortSignal.abort() };
  await expect(download(`${address}/a.txt`, join(folder, 'a'), options)).rejects.toMatchObject({ name: 'AbortError' });
});

test('an archive that is cut off is refused', async () => {
  await writeFile(join(folder, 'a.zip'), wheelBytes.subarray(0, 100));
  const target = () => join(folder, 'out');
  await expect(unzip(join(folder, 'a.zip'), { what: 'a.zip', target })).rejects.toThrow('a.zip is no zip archive');
});

const wheel: Wheel = {
  from: 'pypi',
  requirement: 'thing==1.0',
  tag: 'manylinux_2_27_x86_64',
  sha256: sha256(wheelBytes),
  size_bytes: wheelBytes.length,
  members: 'thing/',
};

/** A folder with a `pip3` that is this shell script; the last argument but one names the folder for the wheel. */
async function pipThat(script: string): Promise<NodeJS.ProcessEnv> {
  const bin = await mkdtemp(join(root, 'bin-'));
  await writeFile(join(bin, 'pip3'), `#!/bin/sh\ncase "$1" in --version) exit 0;; esac\n${script}\n`);
  await chmod(join(bin, 'pip3'), 0o755);
  return { PATH: bin };
}

test('pip is asked for the very wheel, and what it brings is checked', async () => {
  await writeFile(join(root, 'wheel'), wheelBytes);
  const script = `echo "$@" > ${root}/asked; for a; do case "$a" in --dest=*) /bin/cp ${root}/wheel "\${a#--dest=}/thing-1.0.whl";; esac; done`;
  const env = await pipThat(script);
  expect(await downloadWheel(wheel, { what: 'thing', folder, env })).toBe(join(folder, 'thing-1.0.whl'));
  const asked = await readFile(join(root, 'asked'), 'utf8');
  expect(asked).toMatch(/^download --no-deps --only-binary=:all: .*--platform=manylinux_2_27_x86_64 .*thing==1.0\n$/);
  const other = downloadWheel({ ...wheel, sha256: sha256('') }, { what: 'thing', folder, env });
  await expect(other).rejects.toThrow(`thing-1.0.whl is damaged or another version: SHA-256 ${wheel.sha256}`);
});

test.each<[what: string, script: string, code: string, message: RegExp]>([
  [
    'the network is missing',
    'echo "WARNING: Retrying after NewConnectionError" >&2; echo "ERROR: No matching distribution found for thing" >&2; exit 1',
    'UNAVAILABLE',
    /index cannot be reached: check the network.* said: ERROR: No matching/,
  ],
  [
    'the index lacks the wheel',
    'echo "ERROR: No matching distribution found for thing==1.0" >&2; exit 1',
    'UNAVAILABLE',
    /could not download thing==1.0: see `pip config list`/,
  ],
  [
    'the disk is full',
    'echo "ERROR: Could not install: [Errno 28] No space left on device" >&2; exit 1',
    'RESOURCE_EXHAUSTED',
    /disk is full; set STRATA_CACHE_DIR/,
  ],
  ['nothing comes', 'exit 0', 'UNAVAILABLE', /could not download/],
])('where %s, the error says so', async (_, script, code, message) => {
  const failed = downloadWheel(wheel, { what: 'thing', folder, env: await pipThat(script) });
  await expect(failed).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

test('where there is no pip, the error says how to get it', async () => {
  const failed = downloadWheel(wheel, { what: 'thing', folder, env: { PATH: folder } });
  await expect(failed).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringMatching(/none on PATH: install Python 3 with pip .*apt-get install python3-pip/),
  });
});

testWithData("the book's split is made from the collection to the byte", async (dataDir) => {
  const folder = join(dataDir, 'sms_spam');
  const collection = await readFile(join(folder, 'SMSSpamCollection'), 'utf8');
  for (const [name, content] of Object.entries(bookSplit(collection))) {
    expect(sha256(content)).toBe(sha256(await readFile(join(folder, name))));
  }
});
