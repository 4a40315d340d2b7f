// `make bench NAME=cold-start`: from `docker start` to a service that says SERVING over gRPC (the gateway: 200 over HTTP), in its image, read-only as
// in a cluster, with the compile cache that the image brings and without it. Rounds take turns; medians count. Needs `make images`. Last line: JSON.
import { execFile } from 'node:child_process';
import { connect } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { services } from '#lib/contracts/services.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { median, report } from './bench.ts';

const rounds = 5;
const patienceMs = 60_000;
const images = {
  tokenizer: 'tokenizer',
  'weight-loader': 'weight-loader',
  inference: 'inference',
  orchestrator: 'orchestrator',
  evaluator: 'engine',
  gateway: 'gateway',
} as const;
type Service = keyof typeof images;

const run = promisify(execFile);
const docker = async (...args: string[]): Promise<string> => (await run('docker', args)).stdout.trim();

/** Milliseconds until it serves, and what came before Node: the container's own start. */
async function start(service: Service, withCache: boolean): Promise<{ total: number; container: number }> {
  const environment = ['STRATA_BIND=0.0.0.0', ...(withCache ? [] : ['NODE_DISABLE_COMPILE_CACHE=1'])];
  const { port, fullName } = services[service];
  const flags = ['--read-only', '--tmpfs', '/tmp', '--publish', `127.0.0.1::${port}`];
  const image = `strata/${images[service]}:${process.env.TAG ?? packageJson.version}`;
  const id = await docker('create', ...flags, ...environment.flatMap((each) => ['--env', each]), image);
  try {
    const began = performance.now();
    await docker('start', id);
    const container = performance.now() - began;
    const address = (await docker('port', id, `${port}/tcp`)).split('\n')[0] ?? '';
    await (service === 'gateway' ? untilHealthy(`http://${address}/healthz`) : untilServing(address, fullName));
    return { total: performance.now() - began, container };
  } finally {
    await docker('rm', '--force', id);
  }
}

const untilServing = (address: string, service: string): Promise<void> =>
  repeat(async () => (await askHealth(address, service)) === serving);

/** HealthCheckResponse.status. */
const serving = 1;

/**
 * grpc.health.v1.Health/Check by hand, on a connection of its own: a gRPC client waits longer and longer between its attempts to connect, and
 * that would be measured.
 */
async function askHealth(address: string, service: string): Promise<number | undefined> {
  const session = connect(`http://${address}`);
  try {
    const failed = new Promise<never>((_, reject) => session.once('error', reject).once('close', reject));
    const name = Buffer.from(service);
    const message = Buffer.concat([Buffer.from([0x0a, name.length]), name]);
    const path = '/grpc.health.v1.Health/Check';
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
    const answer = await Promise.race([stream.toArray() as Promise<Buffer[]>, failed]);
    // The frame's head of 5 bytes, the tag of field 1, its value.
    return Buffer.concat(answer)[6];
  } finally {
    session.destroy();
  }
}

const untilHealthy = (url: string): Promise<void> => repeat(async () => (await fetch(url)).ok);

async function repeat(ask: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await ask().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`does not serve within ${patienceMs / 1000} s`);
    await delay(5);
  }
}

const rows: Record<string, { with_cache_ms: number; without_ms: number; container_ms: number }> = {};
for (const service of Object.keys(images) as Service[]) {
  const warm: number[] = [];
  const cold: number[] = [];
  const container: number[] = [];
  // The first start reads the image from the disk.
  await start(service, true);
  for (let round = 0; round < rounds; round++) {
    const started = await start(service, true);
    warm.push(started.total);
    container.push(started.container);
    cold.push((await start(service, false)).total);
  }
  const row = { with_cache_ms: median(warm), without_ms: median(cold), container_ms: median(container) };
  rows[service] = Object.fromEntries(Object.entries(row).map(([name, ms]) => [name, Math.round(ms)])) as typeof row;
  console.log(
    `${service.padEnd(14)} ${row.with_cache_ms.toFixed(0)} ms (without the cache ${row.without_ms.toFixed(0)} ms)`,
  );
}
const ratios = Object.values(rows).map((row) => row.without_ms / row.with_cache_ms);
report({ bench: 'cold-start', services: rows, rounds, ratio: Number(median(ratios).toFixed(2)), goal: 1.2 });
