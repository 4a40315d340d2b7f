// Services as processes of their own, as in a cluster, on one embedded home: each with its gRPC port and its port for metrics.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceName } from '#lib/contracts/services.ts';
import type { Environment } from '#lib/platform/config.ts';
import { freePorts } from '#lib/platform/free-ports.ts';
import { variableOf } from '#lib/platform/settings.ts';

export interface ServiceProcess {
  readonly name: ServiceName;
  readonly address: string;
  /** Where /metrics, /healthz and /readyz are. */
  readonly metricsUrl: string;
  /** Its log, line by line, parsed. */
  readonly lines: Record<string, unknown>[];
}

export interface Processes extends AsyncDisposable {
  readonly processes: readonly ServiceProcess[];
  addressOf(name: ServiceName): string;
}

const repository = join(__dirname, '../..');

export async function startProcesses(names: readonly ServiceName[], env: Environment): Promise<Processes> {
  const ports = await freePorts(2 * names.length);
  const port = (index: number): number => ports[index] ?? 0;
  const known = Object.fromEntries(names.map((name, i) => [variableOf(name, 'PORT'), String(port(i))]));
  const children: ChildProcess[] = [];
  const processes = names.map((name, i) => {
    const own = { ...process.env, ...known, ...env, STRATA_METRICS_PORT: String(port(names.length + i)) };
    const child = spawn(process.execPath, [`services/${name}/main.ts`], {
      cwd: repository,
      env: own,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    children.push(child);
    const lines: Record<string, unknown>[] = [];
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => lines.push(parse(line)));
    return { name, address: `127.0.0.1:${port(i)}`, metricsUrl: `http://127.0.0.1:${port(names.length + i)}`, lines };
  });
  const dispose = async (): Promise<void> => {
    const running = children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    for (const child of running) child.kill('SIGTERM');
    await Promise.all(running.map((child) => once(child, 'exit')));
  };
  await Promise.all(processes.map(untilReady)).catch(async (error) => {
    await dispose();
    throw error;
  });
  return {
    processes,
    addressOf: (name) => processes.find((one) => one.name === name)?.address ?? '',
    [Symbol.asyncDispose]: dispose,
  };
}

function parse(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line);
  } catch {
    return { msg: line };
  }
}

async function untilReady({ name, metricsUrl, lines }: ServiceProcess): Promise<void> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(50)) {
    const answer = await fetch(`${metricsUrl}/readyz`).catch(() => undefined);
    if (answer?.ok) return;
  }
  throw new Error(`${name} is not ready after a minute: ${JSON.stringify(lines.slice(-5))}`);
}
