// The forwarder (forward.ts) as a child of this process: addresses of the release's services on this machine.
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { serviceNames, services } from '#lib/contracts/services.ts';
import { variableOf } from '#lib/platform/settings.ts';
import { cluster, folder, release } from './places.ts';

export interface Forwarded {
  /** STRATA_<SERVICE>_ADDRESS for each service: what every client of ours reads. */
  env: Record<string, string>;
  close(): Promise<void>;
}

const specs = serviceNames.map((name) => `${name}=${release.name}-${name}:${services[name].port}`);

export async function forwardServices(): Promise<Forwarded> {
  const script = join(import.meta.dirname, 'forward.ts');
  const child = spawn(process.execPath, [script, cluster.kubeconfig, release.namespace, ...specs], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stderr.pipe(createWriteStream(join(folder, 'forward.log')));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const addresses = await firstLine(child.stdout, ended);
  return {
    env: Object.fromEntries(serviceNames.map((name) => [variableOf(name, 'ADDRESS'), addresses[name] ?? ''])),
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

async function firstLine(stdout: NodeJS.ReadableStream, ended: Promise<void>): Promise<Record<string, string>> {
  const lines = createInterface({ input: stdout });
  const line = await Promise.race([
    new Promise<string>((resolve) => lines.once('line', resolve)),
    ended.then(() => undefined),
  ]);
  if (line === undefined) throw new Error(`the forwarder ended at once: see ${join(folder, 'forward.log')}`);
  return JSON.parse(line) as Record<string, string>;
}
