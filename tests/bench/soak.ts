// Does a set of services that is busy for a long time keep its memory and its handles? Every service in one process, under every kind of work;
// memory, open files, threads and children are counted from outside, in quiet moments.
//
// usage: soak.ts [--minutes 30] [--setup embedded|real]      real: NATS and MinIO, started for it
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { findRunning } from '../../services/cli/up.ts';
import { startEverything } from '../support/everything.ts';
import { startRealBackends } from '../support/real-backends.ts';
import { median, report, root } from './bench.ts';
import { generate, labelsToModel, prepare, sampleAndEvaluate, tokenize } from './soak-load.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '30' }, setup: { type: 'string', default: 'embedded' } },
});
const minutes = Number(values.minutes);
/** Work goes on for so long, then it is quiet while we count. */
const roundMs = Math.min(60_000, (minutes * 60_000) / 15);

interface Sample {
  minute: number;
  rss_mb: number;
  files: number;
  threads: number;
  children: number;
}

const count = (pid: number, what: string): number => readdirSync(`/proc/${pid}/${what}`).length;

function look(pid: number, minute: number): Sample {
  const rss = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).length;
  return { minute, rss_mb: rss, files: count(pid, 'fd'), threads: count(pid, 'task'), children };
}

/** Does one kind of work again and again until it is time to be quiet; any error ends the soak. */
async function repeat(
  until: number,
  { everyMs, work }: { everyMs: number; work: () => Promise<unknown> },
): Promise<void> {
  while (Date.now() < until) {
    await work();
    await delay(everyMs);
  }
}

/** Caches that fill soon, so that what goes on growing is no cache. */
const small = { STRATA_DATA_SAMPLER_MAX_OPEN: '4', STRATA_TOKENIZER_MAX_LOADED: '4' };
const home = mkdtempSync(path.join(tmpdir(), 'strata-soak-'));
await using backends = values.setup === 'real' ? await startRealBackends() : undefined;
const environment = { ...process.env, ...backends?.environment, STRATA_HOME: home, STRATA_LOG_LEVEL: 'warn', ...small };
const script = (name: string): string => path.join(root, 'tests/support', name);
const garbage = ['--expose-gc', '--import', script('collect-garbage.ts')];
// With the heap that ./strata gives services.
const command = ['-c', '. deploy/heap.sh && exec "$0" "$@"', process.execPath];
const server = spawn('sh', [...command, ...garbage, script('serve-everything.ts'), home], {
  cwd: root,
  env: environment,
  stdio: ['ignore', 'inherit', 'inherit'],
});
const ended = new Promise<never>((_, reject) => server.once('exit', (code) => reject(new Error(`exit code ${code}`))));
ended.catch(() => undefined);
const pid = server.pid ?? 0;

async function run(): Promise<Sample[]> {
  while (!(await findRunning(home))) await Promise.race([delay(200), ended]);
  const services = await startEverything(home, environment);
  const base = await prepare(services);
  const counts = { texts: 0, encodings: 0, evaluations: 0, models: 0 };
  const samples: Sample[] = [];
  const started = Date.now();
  while (Date.now() - started < minutes * 60_000) {
    const until = Date.now() + roundMs;
    await Promise.race([
      ended,
      Promise.all([
        repeat(until, { everyMs: 100, work: () => generate(services, base, counts.texts++) }),
        repeat(until, { everyMs: 100, work: () => generate(services, base, counts.texts++) }),
        repeat(until, { everyMs: 50, work: () => tokenize(services, counts.encodings++) }),
        repeat(until, { everyMs: 5000, work: () => sampleAndEvaluate(services, base, counts.evaluations++) }),
        repeat(until, { everyMs: 1000, work: () => labelsToModel(services, counts.models++) }),
      ]),
    ]);
    await delay(2000);
    // Node lets garbage lie as long as there is room: what counts is what stays.
    server.kill('SIGUSR2');
    await delay(1000);
    const sample = look(pid, (Date.now() - started) / 60_000);
    samples.push(sample);
    console.error(JSON.stringify({ ...sample, ...counts }));
  }
  await services.close();
  Object.assign(totals, counts);
  return samples;
}

const totals = {};
const samples = await run().finally(async () => {
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  await Promise.race([gone, delay(20_000).then(() => server.kill('SIGKILL'))]);
});
rmSync(home, { recursive: true, force: true });

/** The first third is for caches and pools to fill; what comes after has to stay. */
const settled = samples.slice(Math.floor(samples.length / 3));
const half = Math.floor(settled.length / 2);
const of = (part: Sample[], what: keyof Sample): number => Math.round(median(part.map((sample) => sample[what])));
const compare = (what: keyof Sample) => ({
  before: of(settled.slice(0, half), what),
  after: of(settled.slice(half), what),
});
const memory = compare('rss_mb');
report({
  bench: `soak (${values.setup})`,
  ratio: Number((memory.before / memory.after).toFixed(3)),
  goal: 0.95,
  minutes,
  rss_mb: memory,
  open_files: compare('files'),
  threads: compare('threads'),
  work: totals,
});
