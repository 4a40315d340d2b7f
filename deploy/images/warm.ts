// Runs while an image is built, as the user that will run it: fills the compile cache (NODE_COMPILE_CACHE) by really starting the service on an
// embedded platform until it serves, and by loading what it only loads in a cluster or in its threads and jobs.
// `node deploy/images/warm.ts tokenizer`
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const root = resolve(import.meta.dirname, '../..');
const [service = ''] = process.argv.slice(2);
const folder = join(root, 'services', service);

/** Free ports, so that nothing on the machine that builds is in the way. */
const ports = Object.fromEntries(
  ['TOKENIZER', 'DATA_SAMPLER', 'TRAINER', 'EVALUATOR', 'WEIGHT_LOADER', 'INFERENCE', 'ORCHESTRATOR', 'GATEWAY'].map(
    (name) => [`STRATA_${name}_PORT`, '0'],
  ),
);

function run(args: string[], home: string): ChildProcess {
  const env = { ...process.env, ...ports, STRATA_HOME: home };
  return spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** The exit code for a module that is not there. */
const missing = 77;

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => child.once('exit', (code) => resolve(code)));

/** Until its log says that it serves; then SIGTERM, at which Node writes what it compiled. */
async function startAndStop(home: string): Promise<void> {
  const child = run([join(folder, 'main.ts')], home);
  const exit = ended(child);
  const patience = setTimeout(() => child.kill('SIGKILL'), 60_000);
  for await (const line of createInterface({ input: child.stderr as NodeJS.ReadableStream })) {
    if (line.includes('"msg":"serving"')) child.kill('SIGTERM');
    else if (line.includes('"level":"fatal"')) console.error(line);
  }
  clearTimeout(patience);
  const code = await exit;
  if (code !== 0) throw new Error(`${service} does not start: exit ${code}`);
}

/**
 * Loads modules in a process of their own. A thread's or a job's program ends at once without what it works for, and is compiled all the same;
 * but no module may be missing.
 */
async function load(files: string[], home: string): Promise<void> {
  const imports = files.map((file) => `await import(${JSON.stringify(file)}).catch(unlessMissing);`).join('\n');
  const program = `
    import { flushCompileCache } from 'node:module';
    process.once('exit', () => flushCompileCache());
    const unlessMissing = (error) => {
      if (!String(error.code).endsWith('MODULE_NOT_FOUND')) return;
      console.error(error);
      process.exit(${missing});
    };
    ${imports}`;
  const child = run(['--input-type=module', '--eval', program], home);
  let complaints = '';
  child.stderr?.setEncoding('utf8').on('data', (text) => (complaints += text));
  if ((await ended(child)) === missing) throw new Error(`${files}: a package is not in this image\n${complaints}`);
}

const found = (pattern: string): string[] => globSync(pattern, { cwd: root }).map((path) => join(root, path));

const home = mkdtempSync(join(tmpdir(), 'strata-warm-'));
try {
  if (existsSync(join(folder, 'service.ts'))) await startAndStop(home);
  else await load([join(folder, 'program.ts'), ...found(`services/${service}/commands/*.ts`)], home);
  const jobs = service === 'evaluator' ? found('services/{trainer,evaluator}/worker/main.ts') : [];
  const programs = [...found(`services/${service}/**/*.worker.ts`), ...jobs];
  await load(found('lib/platform/{nats,s3}/open-*.ts'), home);
  if (existsSync(join(root, 'node_modules/@kubernetes/client-node')))
    await load(found('lib/platform/kubernetes/cluster.ts'), home);
  for (const program of programs) await load([program], home);
} finally {
  rmSync(home, { recursive: true, force: true });
}
