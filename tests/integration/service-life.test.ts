// Each service as a process of its own, as in a container: it starts, is alive and ready, and stops on SIGTERM.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from '@jest/globals';
import { createChannel, createClient } from 'nice-grpc';
import { HealthDefinition } from 'nice-grpc-server-health';
import { type ServiceName, serviceNames, services } from '../../lib/contracts/services.ts';
import { variableOf } from '../../lib/platform/settings.ts';

const home = mkdtempSync(join(tmpdir(), 'strata-services-'));
const repository = join(__dirname, '../..');
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(home, { recursive: true, force: true });
});

function run(name: ServiceName, env: Record<string, string>) {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [`services/${name}/main.ts`], {
    cwd: repository,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH, HOME, STRATA_HOME: home, STRATA_DRAIN_MS: '200', [variableOf(name, 'PORT')]: '0', ...env },
  });
  children.push(child);
  const lines = createInterface({ input: child.stderr as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  return { child, lines, exit: once(child, 'exit').then(([code]) => code as number | null) };
}

/** The first log line with this message, or the rest of what it said. */
async function lineWith(lines: AsyncIterator<string>, message: string): Promise<Record<string, unknown>> {
  const seen: string[] = [];
  for (let next = await lines.next(); !next.done; next = await lines.next()) {
    seen.push(next.value);
    if (next.value.includes(`"msg":"${message}"`)) return JSON.parse(next.value) as Record<string, unknown>;
  }
  throw new Error(`it never said "${message}":\n${seen.join('\n')}`);
}

async function healthOf(address: string, service: string): Promise<number> {
  const channel = createChannel(address);
  try {
    return (await createClient(HealthDefinition, channel).check({ service })).status;
  } finally {
    channel.close();
  }
}

const speaksGrpc = (name: ServiceName): boolean => name !== 'gateway';
const serving = 1;

test.each(serviceNames)('%s says its configuration and where it serves, and stops on SIGTERM', async (name) => {
  const { child, lines, exit } = run(name, {});
  expect(await lineWith(lines, 'effective configuration')).toMatchObject({ service: name, config: { home } });
  const { address } = (await lineWith(lines, 'serving')) as { address: string };
  if (speaksGrpc(name)) {
    expect(await healthOf(address, '')).toBe(serving);
    while ((await healthOf(address, services[name].fullName)) !== serving) await delay(20);
  }
  child.kill('SIGTERM');
  await lineWith(lines, 'stopped');
  expect(await exit).toBe(0);
});

test.each(serviceNames)('%s reports every mistake of its configuration and exits with 2', async (name) => {
  const { lines, exit } = run(name, { [variableOf(name, 'PORT')]: 'eighty', STRATA_LOG_LEVEL: 'loud' });
  const said: string[] = [];
  for (let next = await lines.next(); !next.done; next = await lines.next()) said.push(next.value);
  expect(said.join('\n')).toContain(variableOf(name, 'PORT'));
  expect(said.join('\n')).toContain('STRATA_LOG_LEVEL');
  expect(await exit).toBe(2);
});

test.each(serviceNames)('%s names a port in use and the setting that changes it, and exits with 1', async (name) => {
  const occupant = createServer().listen(0, '127.0.0.1');
  await once(occupant, 'listening');
  const { port } = occupant.address() as { port: number };
  const { lines, exit } = run(name, { [variableOf(name, 'PORT')]: String(port) });
  const said: string[] = [];
  for (let next = await lines.next(); !next.done; next = await lines.next()) said.push(next.value);
  occupant.close();
  expect(said.at(-1)).toContain(`cannot listen on 127.0.0.1:${port}`);
  expect(said.at(-1)).toContain(variableOf(name, 'PORT'));
  expect(await exit).toBe(1);
});
