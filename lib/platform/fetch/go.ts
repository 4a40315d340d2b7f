// Builds a program with Go, for what nobody publishes as a file. The module's sum is the table's or it is not built; the module's own go.sum
// has the sums of everything else, and Go checks them. Downloads and compiled packages stay in Go's own caches.
import { AppError } from '../errors.ts';
import type { FetchOptions } from './progress.ts';
import { type Ended, type RunOptions, run } from './run-program.ts';
import type { GoProgram } from './tables.ts';

/** The oldest that builds what the table has. */
const oldestMinor = 24;

export interface BuildOptions extends FetchOptions {
  /** What is being built, in messages. */
  what: string;
  /** Where the program goes. */
  folder: string;
  /** The path of a `go`, where the machine has none that is new enough. */
  fetchGo: () => Promise<string>;
  /** Default: what this process has. */
  env?: NodeJS.ProcessEnv;
}

export async function buildProgram(source: GoProgram, options: BuildOptions): Promise<void> {
  const { what, folder, fetchGo, env, onProgress, signal } = options;
  const go = (await hasGo({ env })) ? 'go' : await fetchGo();
  onProgress?.({ what, phase: 'building', doneBytes: 0, totalBytes: 0 });
  const fetched = await run([go, 'mod', 'download', '-json', source.module], { env, signal, cwd: folder });
  checkSum(source, fetched);
  const variables = ['CGO_ENABLED=0', 'GOFLAGS=', `GOBIN=${folder}`];
  const install = ['install', '-trimpath', '-ldflags', '-s -w', programOf(source)];
  const built = await run([...variables, go, ...install], { env, signal, cwd: folder });
  if (built.code !== 0) throw goFailed(source, built);
}

/** `helm.sh/helm/v4@v4.3.1` and its `cmd/helm` -> `helm.sh/helm/v4/cmd/helm@v4.3.1`. */
const programOf = ({ module, package: folder }: GoProgram): string =>
  folder ? module.replace('@', `/${folder}@`) : module;

async function hasGo(options: RunOptions): Promise<boolean> {
  const { code, output } = await run(['go', 'version'], options);
  const minor = Number(/go1\.(\d+)/.exec(output)?.[1] ?? 0);
  return code === 0 && minor >= oldestMinor;
}

function checkSum(source: GoProgram, fetched: Ended): void {
  if (fetched.code !== 0) throw goFailed(source, fetched);
  const sum = /"Sum": "([^"]+)"/.exec(fetched.output)?.[1];
  if (sum === source.sum) return;
  throw new AppError(
    'DATA_LOSS',
    `${source.module} is damaged or another one: its sum is ${sum} instead of ${source.sum}`,
  );
}

function goFailed({ module }: GoProgram, { output }: Ended): AppError {
  if (/no space left on device/.test(output)) {
    return new AppError(
      'RESOURCE_EXHAUSTED',
      "the disk of Go's caches is full (`go env GOCACHE GOMODCACHE` says where they are)",
    );
  }
  const said = output.trim().split('\n').at(-1) ?? '';
  const offline = /dial tcp|no such host|i\/o timeout|proxyconnect|connection refused/.test(output);
  const hint = offline ? 'the Go module proxy cannot be reached: check the network, or `go env GOPROXY`' : 'Go failed';
  return new AppError('UNAVAILABLE', `${module} could not be built: ${hint}. It said: ${said}`);
}
