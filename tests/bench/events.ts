// How long it takes from a labelled file written into the object store to the training Job that it causes, on the cluster of `make e2e KEEP=1`:
// bucket notification (or listing), event, ledger, dataset, run, Job. A quota keeps the pods from starting: only the way to the Job is measured.
//
// usage: events.ts [batches=200]
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Objective } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { readConfig } from '#lib/platform/config.ts';
import { openS3 } from '#lib/platform/s3/open-s3.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import { loadConfig } from '../../services/cli/config.ts';
import { connectServices, type Services } from '../../services/cli/connect.ts';
import { createOutput } from '../../services/cli/output.ts';
import { forwardServices } from '../e2e/frame/forwarded.ts';
import { cluster, release } from '../e2e/frame/places.ts';
import { findTools } from '../e2e/frame/tools.ts';
import { apply, get, type KubeObject, kubectl, list } from '../e2e/support/kubectl.ts';
import { ensureBase, goodRows } from '../e2e/support/labels.ts';
import type { Pod } from '../e2e/support/pods.ts';
import { nowhere } from '../support/silent-output.ts';
import { report } from './bench.ts';

const batches = Number(process.argv[2] ?? 200);
const task = `bench-${process.pid}`;
const goalMs = 2000;
const quota = 'bench-events';

/** Rows enough for both splits, in the first file; the later ones only have to be new. */
const rowsOf = (batch: number): string =>
  goodRows(batch === 0 ? 40 : 4, batch * 1000)
    .map((row) => JSON.stringify(row))
    .join('\n');

/** When each Job was first seen, in milliseconds; `kubectl --watch` prints one line as it comes into being. */
function watchJobs() {
  const where = [`--kubeconfig=${cluster.kubeconfig}`, `--context=${cluster.context}`, `-n=${release.namespace}`];
  const child = spawn('kubectl', [...where, 'get', 'jobs', '--watch-only', '--no-headers', '-o', 'name']);
  const seen = new Map<string, number>();
  let rest = '';
  child.stdout.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const name of lines) if (!seen.has(name)) seen.set(name, performance.now());
  });
  return { seen, stop: () => child.kill() };
}

/** No new pod: as many as there are, of those that have not ended. */
async function forbidPods(): Promise<void> {
  const pods = await list<Pod>('pods');
  const { length } = pods.filter(({ status }) => status.phase === 'Running' || status.phase === 'Pending');
  const metadata = { name: quota };
  await apply({ apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard: { pods: String(length) } } });
}

async function forwardStore(): Promise<{ endpoint: string; close(): void }> {
  const where = [`--kubeconfig=${cluster.kubeconfig}`, `--context=${cluster.context}`, `-n=${release.namespace}`];
  const child = spawn('kubectl', [...where, 'port-forward', `svc/${release.name}-minio`, ':9000']);
  const said = await new Promise<string>((resolve) => child.stdout.once('data', (chunk) => resolve(String(chunk))));
  return { endpoint: `http://127.0.0.1:${/:(\d+)/.exec(said)?.[1]}`, close: () => child.kill() };
}

async function openStore(endpoint: string) {
  const secret = await get<KubeObject & { data: Record<string, string> }>('secret', `${release.name}-object-store`);
  const read = (name: string): string => Buffer.from(secret?.data[name] ?? '', 'base64').toString();
  const env = {
    STRATA_S3_ENDPOINT: endpoint,
    STRATA_S3_ACCESS_KEY: read('s3-access-key'),
    STRATA_S3_SECRET_KEY: read('s3-secret-key'),
  };
  return openS3(readConfig(platformSettings, env));
}

async function declare(services: Services): Promise<void> {
  const { ref: base } = await ensureBase(services);
  await services.orchestrator.applyPipeline({
    pipeline: {
      task,
      ...(base && { base }),
      objective: Objective.OBJECTIVE_CLASSIFY,
      hyperparameters: { maxSteps: 5, batchSize: 4, blockSize: 32, learningRate: 1e-3 },
      seed: 1,
      gate: { metric: 'accuracy' },
      batching: { minExamples: 1 },
    },
  });
}

/** The Job of the run of the pipeline run that took this file. */
async function jobOf({ orchestrator }: Services, key: string): Promise<string> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(200)) {
    const { pipelineRuns } = await orchestrator.listPipelineRuns({ task });
    const run = pipelineRuns.find(({ labels }) => labels.some((label) => label.key === key));
    if (run?.runId) return `job.batch/run-${run.runId}-1`;
  }
  throw new Error(`a minute after ${key} was written no run had taken it`);
}

async function measure(services: Services, put: (key: string, rows: string) => Promise<unknown>): Promise<number[]> {
  const jobs = watchJobs();
  const tookMs: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const key = `inbox/${task}/batch-${batch}.jsonl`;
    const started = performance.now();
    await put(key, rowsOf(batch));
    const job = await jobOf(services, key);
    while (!jobs.seen.has(job)) await delay(20);
    tookMs.push((jobs.seen.get(job) ?? Number.NaN) - started);
    // Its run could never end; a hundred of them would be work for the services that nobody measures.
    await services.trainer.cancelRun({ runId: job.slice('job.batch/run-'.length, -'-1'.length) });
    // Not in step with anything that happens every second.
    await delay(100 + Math.random() * 400);
    if (process.stderr.isTTY || batch % 20 === 19)
      console.error(`${batch + 1} of ${batches}: ${tookMs.at(-1)?.toFixed(0)} ms`);
  }
  jobs.stop();
  return tookMs;
}

async function cleanUp({ orchestrator, trainer }: Services): Promise<void> {
  const { pipelineRuns } = await orchestrator.listPipelineRuns({ task });
  for (const { runId } of pipelineRuns) if (runId) await trainer.cancelRun({ runId }).catch(() => undefined);
  await kubectl(['delete', 'resourcequota', quota, '--ignore-not-found']);
}

await findTools();
const forwarded = await forwardServices();
const silent = createOutput({ json: true, stdout: nowhere(), stderr: nowhere() });
const services = await connectServices(loadConfig({ ...process.env, ...forwarded.env }), silent);
const forwardedStore = await forwardStore();
const store = await openStore(forwardedStore.endpoint);
await declare(services);
await forbidPods();
try {
  const tookMs = (await measure(services, (key, rows) => store.put(key, Buffer.from(rows)))).sort((a, b) => a - b);
  const percentile = (share: number): number => Math.round(tookMs[Math.ceil(share * tookMs.length) - 1] ?? Number.NaN);
  const [p50, p90, p99] = [percentile(0.5), percentile(0.9), percentile(0.99)];
  report({
    bench: 'events',
    ratio: Number((goalMs / p99).toFixed(2)),
    goal: 1,
    batches,
    p50_ms: p50,
    p90_ms: p90,
    p99_ms: p99,
    max_ms: percentile(1),
  });
} finally {
  await cleanUp(services);
  await Promise.all([services.close(), store.close(), forwarded.close()]);
  forwardedStore.close();
}
