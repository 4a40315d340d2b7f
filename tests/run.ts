// Runs every check in one go and ends with one line: `N passed, N failed, N skipped`.
// `node tests/run.ts` = checks and the ordinary tests · `check` = checks only · `unit` = the tests beside the code · `training` = the slow
// training suite · `charts` = the chart.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

type Tally = { passed: number; failed: number; skipped: number };
type Check = { name: string; command: string[] };

const root = join(import.meta.dirname, '..');
const bin = (name: string): string => join(root, 'node_modules/.bin', name);

const checks: Check[] = [
  { name: 'types', command: [bin('tsc'), '--noEmit'] },
  { name: 'lint and format', command: [bin('biome'), 'ci', '.'] },
  { name: 'contracts: buf lint', command: [bin('buf'), 'lint'] },
  { name: 'contracts: buf format', command: [bin('buf'), 'format', '--diff', '--exit-code'] },
  {
    name: 'contracts: no breaking change against main',
    command: [bin('buf'), 'breaking', '--against', breakingBase()],
  },
  { name: 'contracts: generated code is current', command: [process.execPath, join(root, 'tests/check-generated.ts')] },
];

/** The branch that a breaking change is measured against: the remote's main where there is one. */
function breakingBase(): string {
  const known = (ref: string) =>
    spawnSync('git', ['rev-parse', '--verify', '--quiet', ref], { cwd: root }).status === 0;
  if (known('refs/remotes/origin/main')) return '.git#ref=refs/remotes/origin/main';
  return '.git#ref=HEAD';
}

/** Runs a program; its output is shown only when it fails. */
function runCheck({ name, command: [program = '', ...args] }: Check): Tally {
  const started = performance.now();
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: root, encoding: 'utf8' });
  const passed = status === 0;
  console.log(`${passed ? 'PASS' : 'FAIL'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  if (!passed) console.log(`${stdout}\n${stderr}\n${error ?? ''}`);
  return { passed: Number(passed), failed: Number(!passed), skipped: 0 };
}

/**
 * Jest gives each test file a global scope of its own, so WebAssembly modules (undici's, long's) come and go by the hundred; V8's collection
 * of their code then ends the process, once in a while (nodejs/node#64500). Jest's workers inherit it.
 */
const nodeFlags = ['--no-wasm-code-gc'];

/** Once the report is written, jest has this long to end. */
const leakMs = 30_000;

/** Runs jest and reads its own report. One failure more: a jest that did not get as far as a report, or that a test's leftovers keep from ending. */
async function runJest(args: string[]): Promise<Tally> {
  const folder = mkdtempSync(join(tmpdir(), 'strata-tests-'));
  const outputFile = join(folder, 'report.json');
  try {
    // Its error output through a pipe of ours: processes that a test left behind would keep the caller's open.
    const flags = ['--json', '--outputFile', outputFile, '--silent=false'];
    const jest = spawn(process.execPath, [...nodeFlags, bin('jest'), ...flags, ...args], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: testEnvironment(),
    });
    jest.stderr.pipe(process.stderr, { end: false });
    const ended = new AbortController();
    const exit = once(jest, 'exit').finally(() => ended.abort());
    const isStuck = await outlives(outputFile, ended);
    if (isStuck) {
      console.error(
        'FAIL jest does not end after its last test: a test left something open (npx jest --detectOpenHandles)',
      );
      jest.kill('SIGKILL');
    }
    const [status] = (await exit) as [number | null];
    if (!existsSync(outputFile)) return { passed: 0, failed: 1, skipped: 0 };
    const report = JSON.parse(readFileSync(outputFile, 'utf8')) as Record<string, number>;
    const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0, numRuntimeErrorTestSuites = 0 } = report;
    const failed = numFailedTests + numRuntimeErrorTestSuites;
    return {
      passed: numPassedTests,
      failed: failed + Number(isStuck) || Number(status !== 0),
      skipped: numPendingTests,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether a program is still there long after it wrote its report; `ended` aborts when it ends. */
async function outlives(report: string, { signal }: { signal: AbortSignal }): Promise<boolean> {
  try {
    while (!existsSync(report)) await delay(500, undefined, { signal });
    await delay(leakMs, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}

/** Tests find the shared data beside the checkout where the caller has not said otherwise. */
function testEnvironment(): NodeJS.ProcessEnv {
  const beside = join(root, '../shared/data');
  const dataDir = process.env.STRATA_DATA_DIR ?? (existsSync(beside) ? beside : undefined);
  return dataDir ? { ...process.env, STRATA_DATA_DIR: dataDir } : process.env;
}

const isHere = (tool: string): Check => ({
  name: `${tool} is here`,
  command: [process.execPath, join(root, 'deploy/fetch/main.ts'), 'tool', tool],
});
// MinIO is compiled, which takes minutes: without it its suite says that it is skipped, and how to get it. Not in CI.
const servers = process.env.CI ? ['nats-server', 'minio'] : ['nats-server'];
const ordinary = ['unit', 'parity', 'architecture', 'integration'];

const suites: Record<string, () => Promise<Tally[]>> = {
  all: async () => [
    ...[...['libtensorflow', ...servers].map(isHere), ...checks].map(runCheck),
    await runJest(['--selectProjects', ...ordinary]),
  ],
  check: async () => checks.map(runCheck),
  unit: async () => [await runJest(['--selectProjects', 'unit', 'architecture'])],
  training: async () => [
    runCheck(isHere('libtensorflow')),
    await runJest(['--selectProjects', 'training', '--runInBand']),
  ],
  charts: async () => [await runJest(['--selectProjects', 'charts'])],
};

const suite = suites[process.argv[2] ?? 'all'];
if (!suite) {
  console.error(`unknown suite "${process.argv[2]}": one of ${Object.keys(suites).join(', ')}`);
  process.exit(2);
}
const total = (await suite()).reduce((a, b) => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
}));
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped ? `, ${total.skipped} skipped` : ''}`);
process.exit(total.failed ? 1 : 0);
