// `strata up` as its users run it: every service in one process, one holder a home, whatever way the last one ended.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createChannel, createClient } from 'nice-grpc';
import { HealthDefinition } from 'nice-grpc-server-health';
import { serviceNames, services } from '../../lib/contracts/services.ts';
import { readHolder } from '../../lib/platform/embedded/home-lock.ts';
import { freePorts } from '../../lib/platform/free-ports.ts';
import { variableOf } from '../../lib/platform/settings.ts';

const home = mkdtempSync(join(tmpdir(), 'strata-up-'));
const repository = join(__dirname, '../..');
const children: ChildProcess[] = [];
let ports: Record<string, string>;
beforeAll(async () => {
  const free = await freePorts(serviceNames.length);
  ports = Object.fromEntries(serviceNames.map((name, i) => [variableOf(name, 'PORT'), String(free[i])]));
});
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(home, { recursive: true, force: true });
});

function strata(...args: string[]): ChildProcess {
  const { PATH = '', HOME = '' } = process.env;
  const env = { PATH, HOME, STRATA_HOME: home, ...ports };
  const child = spawn(process.execPath, ['services/cli/main.ts', ...args], { cwd: repository, env });
  children.push(child);
  return child;
}

/** Starts `strata up` and waits until it has said where everything is. */
async function up(): Promise<{ child: ChildProcess; addresses: Record<string, string> }> {
  const child = strata('up');
  const errors = text(child.stderr as NodeJS.ReadableStream);
  for (;;) {
    const holder = readHolder(home);
    if (holder?.pid === child.pid && holder?.addresses.gateway) return { child, addresses: holder.addresses };
    if (child.exitCode !== null) throw new Error(`strata up ended with ${child.exitCode}: ${await errors}`);
    await delay(50);
  }
}

async function healthOf(address: string, service: string): Promise<number> {
  const channel = createChannel(address);
  try {
    return (await createClient(HealthDefinition, channel).check({ service })).status;
  } finally {
    channel.close();
  }
}

test('every service is ready at its port; a second one is refused and told who holds the home; SIGTERM ends it', async () => {
  const { child, addresses } = await up();
  for (const name of serviceNames) {
    expect(addresses[name]).toBe(`127.0.0.1:${ports[variableOf(name, 'PORT')]}`);
    if (name !== 'gateway') expect(await healthOf(addresses[name] ?? '', services[name].fullName)).toBe(1);
  }
  expect((await fetch(`http://${addresses.gateway}/v1/models`)).status).toBe(200);

  const second = strata('up');
  const said = await text(second.stderr as NodeJS.ReadableStream);
  expect(said).toContain(`the services of ${home} run already (process ${child.pid}, since`);
  expect(second.exitCode ?? (await once(second, 'exit'))[0]).toBe(4);

  child.kill('SIGTERM');
  expect((await once(child, 'exit'))[0]).toBe(0);
  expect(existsSync(join(home, 'up.json'))).toBe(false);
});

test('other commands use the running services', async () => {
  const { child } = await up();
  const list = strata('model', 'list', '--json');
  const [output, notes] = await Promise.all([
    text(list.stdout as NodeJS.ReadableStream),
    text(list.stderr as NodeJS.ReadableStream),
  ]);
  expect(JSON.parse(output)).toBeDefined();
  expect(notes).not.toContain('starting the services');
  child.kill('SIGTERM');
  await once(child, 'exit');
});

test('after kill -9 the next one starts at once', async () => {
  const { child } = await up();
  child.kill('SIGKILL');
  await once(child, 'exit');
  const next = await up();
  next.child.kill('SIGTERM');
  expect((await once(next.child, 'exit'))[0]).toBe(0);
});
