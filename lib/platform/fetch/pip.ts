// Downloads a wheel with pip, so that the user's index, proxy and certificates are used. Nothing of Python is installed or run besides.
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { checkFile } from './check-file.ts';
import type { FetchOptions } from './progress.ts';
import { type RunOptions, run } from './run-program.ts';
import type { Wheel } from './tables.ts';

const candidates = [['python3', '-m', 'pip'], ['pip3'], ['pip'], ['python', '-m', 'pip']];

const progressEveryMs = 250;

async function findPip(options: RunOptions): Promise<string[]> {
  for (const candidate of candidates) {
    const { code } = await run([...candidate, '--version'], options);
    if (code === 0) return candidate;
  }
  const how =
    'install Python 3 with pip (Debian and Ubuntu: `apt-get install python3-pip`; macOS: `brew install python`)';
  throw new AppError('FAILED_PRECONDITION', `pip is needed to fetch this, and there is none on PATH: ${how}`);
}

export interface PipOptions extends FetchOptions {
  /** What is being fetched, in messages. */
  what: string;
  /** An empty folder for the wheel and pip's own temporary files. */
  folder: string;
  /** Default: what this process has. */
  env?: NodeJS.ProcessEnv;
}

/** The path of the wheel, checked against its SHA-256. UNAVAILABLE where pip cannot get it. */
export async function downloadWheel(wheel: Wheel, options: PipOptions): Promise<string> {
  const { what, folder, env, onProgress, signal } = options;
  const temporary = join(folder, 'tmp');
  await mkdir(temporary, { recursive: true });
  const pip = await findPip({ env });
  const report = async () => {
    const doneBytes = Math.min(await bytesIn(folder), wheel.size_bytes);
    onProgress?.({ what, phase: 'downloading', doneBytes, totalBytes: wheel.size_bytes });
  };
  const timer = setInterval(() => void report(), progressEveryMs);
  const command = [`TMPDIR=${temporary}`, ...pip, ...argumentsFor(wheel, folder)];
  const ended = await run(command, { env, signal }).finally(() => clearInterval(timer));
  const file = (await readdir(folder)).find((name) => name.endsWith('.whl'));
  if (ended.code !== 0 || !file) throw pipFailed(wheel, ended.output);
  const path = join(folder, file);
  await checkFile(path, wheel, { what: file, onProgress, signal });
  return path;
}

const argumentsFor = ({ requirement, tag }: Wheel, folder: string): string[] => [
  'download',
  '--no-deps',
  '--only-binary=:all:',
  '--python-version=3.12',
  ...(tag ? [`--platform=${tag}`] : []),
  '--no-cache-dir',
  '--disable-pip-version-check',
  '--no-input',
  '--progress-bar=off',
  `--dest=${folder}`,
  requirement,
];

/** The largest file below the folder: the wheel as it grows, wherever pip keeps it meanwhile. */
async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(({ parentPath, name }) =>
      stat(join(parentPath, name)).then(
        (file) => file.size,
        () => 0,
      ),
    ),
  );
  return Math.max(0, ...sizes);
}

function pipFailed({ requirement }: Wheel, output: string): AppError {
  if (/No space left on device|Errno 28/.test(output)) {
    return new AppError('RESOURCE_EXHAUSTED', `the disk is full; set STRATA_CACHE_DIR to a folder on another disk`);
  }
  const errors = output.split('\n').filter((line) => /^(ERROR|error)/.test(line));
  const said = (errors[0] ?? output.trim().split('\n').at(-1) ?? '').trim();
  const offline =
    /NewConnectionError|ConnectTimeout|Name or service not known|Temporary failure|ProxyError|Max retries/.test(output);
  const hint = offline
    ? 'the package index cannot be reached: check the network, or `pip config list`'
    : 'see `pip config list` for the index that was asked';
  return new AppError('UNAVAILABLE', `pip could not download ${requirement}: ${hint}. It said: ${said}`);
}
