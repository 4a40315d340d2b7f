import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { buildProgram } from './go.ts';
import type { FetchProgress } from './progress.ts';
import type { GoProgram } from './tables.ts';

let root = '';
let folder = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'strata-go-'));
});
beforeEach(async () => {
  folder = await mkdtemp(join(root, 'f-'));
});
afterAll(() => rm(root, { recursive: true }));

const sum = `h1:${'a'.repeat(43)}=`;
const program: GoProgram = { from: 'go', module: 'example.org/thing@v1.2.3', sum, size_bytes: 1000 };

interface FakeGo {
  version?: string;
  /** Shell: what `go mod download -json` and `go install` do. */
  download?: string;
  install?: string;
}

const downloads = `echo 'go: downloading example.org/thing' >&2; echo '{ "Sum": "${sum}", "GoModSum": "h1:x" }'`;
const builds = 'echo "$CGO_ENABLED $*" > "$GOBIN/thing"';

/** The path of a `go` that is a shell script. */
async function goThat({ version = '1.26.8', download = downloads, install = builds }: FakeGo = {}): Promise<string> {
  const go = join(await mkdtemp(join(root, 'bin-')), 'go');
  const script = `case "$1" in version) echo "go version go${version} linux/amd64";; mod) ${download};; install) ${install};; esac`;
  await writeFile(go, `#!/bin/sh\n${script}\n`);
  await chmod(go, 0o755);
  return go;
}

const noGo = async (): Promise<string> => {
  throw new Error('a Go was fetched');
};
const pathOf = (go: string) => ({ PATH: go.replace(/\/go$/, '') });
const buildWith = async (fake: FakeGo) =>
  buildProgram(program, { what: 'thing', folder, env: pathOf(await goThat(fake)), fetchGo: noGo });

test("the machine's Go builds the program, without C and without paths of this machine", async () => {
  const seen: FetchProgress[] = [];
  const env = pathOf(await goThat());
  await buildProgram(program, { what: 'thing', folder, env, fetchGo: noGo, onProgress: (one) => seen.push(one) });
  expect(await readFile(join(folder, 'thing'), 'utf8')).toBe(
    '0 install -trimpath -ldflags -s -w example.org/thing@v1.2.3\n',
  );
  expect(seen).toEqual([{ what: 'thing', phase: 'building', doneBytes: 0, totalBytes: 0 }]);
});

test('a program may be a folder of its module', async () => {
  const env = pathOf(await goThat());
  await buildProgram({ ...program, package: 'cmd/thing' }, { what: 'thing', folder, env, fetchGo: noGo });
  expect(await readFile(join(folder, 'thing'), 'utf8')).toContain(' example.org/thing/cmd/thing@v1.2.3\n');
});

test.each([['1.23.9'], [undefined]])('where the Go on PATH is %s, one is fetched', async (version) => {
  const env = version ? pathOf(await goThat({ version, install: 'exit 1' })) : { PATH: folder };
  await buildProgram(program, { what: 'thing', folder, env, fetchGo: () => goThat() });
  expect(await readdir(folder)).toEqual(['thing']);
});

test('a module with another sum is not built', async () => {
  const other = { download: `echo '{ "Sum": "h1:other" }'` };
  await expect(buildWith(other)).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: `example.org/thing@v1.2.3 is damaged or another one: its sum is h1:other instead of ${sum}`,
  });
  expect(await readdir(folder)).toEqual([]);
});

test.each<[what: string, fake: FakeGo, code: string, message: RegExp]>([
  [
    'the network is missing',
    { download: 'echo "dial tcp: lookup proxy: no such host" >&2; exit 1' },
    'UNAVAILABLE',
    /proxy cannot be reached: check the network, or `go env GOPROXY`. It said: dial tcp/,
  ],
  [
    'the disk is full',
    { install: 'echo "write x: no space left on device" >&2; exit 1' },
    'RESOURCE_EXHAUSTED',
    /go env GOCACHE/,
  ],
  [
    'the build fails',
    { install: 'echo "syntax error" >&2; exit 1' },
    'UNAVAILABLE',
    /Go failed. It said: syntax error/,
  ],
])('where %s, the error says so', async (_, fake, code, message) => {
  await expect(buildWith(fake)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

test('an abort ends a build', async () => {
  const env = pathOf(await goThat({ install: 'exec /bin/sleep 60' }));
  const signal = AbortSignal.timeout(300);
  const building = buildProgram(program, { what: 'thing', folder, env, fetchGo: noGo, signal });
  await expect(building).rejects.toMatchObject({ name: 'AbortError' });
});
