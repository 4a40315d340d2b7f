// A real nats-server for tests and benchmarks: on a free port, with JetStream in a folder that survives its restarts.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fetchTool } from '../artifacts.ts';
import { readConfig } from '../config.ts';
import { freePort } from '../free-ports.ts';
import { platformSettings } from '../settings.ts';

export interface NatsServerOptions {
  /** Lines of its configuration file, as `authorization { user: a, password: b }`. */
  lines?: string[];
}

export interface NatsServer {
  /** `127.0.0.1:<port>` */
  readonly address: string;
  readonly url: string;
  /** Ends it as an operator does: it first writes down all it knows. Its folder and port stay. */
  stop(): Promise<void>;
  /** Ends it without warning. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends it and removes its folder. */
  dispose(): Promise<void>;
}

export async function startNatsServer({ lines = [] }: NatsServerOptions = {}): Promise<NatsServer> {
  const { cacheDir } = readConfig({ cacheDir: platformSettings.cacheDir }, process.env);
  const program = join(await fetchTool('nats-server', { cacheDir }), 'nats-server');
  const folder = await mkdtemp(join(tmpdir(), 'strata-nats-'));
  const port = await freePort();
  const settings = [`listen: "127.0.0.1:${port}"`, `jetstream { store_dir: "${folder}" }`, ...lines];
  await writeFile(join(folder, 'nats.conf'), `${settings.join('\n')}\n`);
  let child: ChildProcess | undefined;
  const endWithUs = (): void => void child?.kill('SIGKILL');
  process.once('exit', endWithUs);

  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (!child) return;
    const ended = child.exitCode === null ? once(child, 'exit') : undefined;
    child.kill(signal);
    await ended;
    child = undefined;
  };

  const server: NatsServer = {
    address: `127.0.0.1:${port}`,
    url: `nats://127.0.0.1:${port}`,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async start() {
      child = spawn(program, ['--config', join(folder, 'nats.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
      await saysReady(child);
    },
    async dispose() {
      process.off('exit', endWithUs);
      await server.kill();
      await rm(folder, { recursive: true, force: true, maxRetries: 10 });
    },
  };
  try {
    await server.start();
    return server;
  } catch (error) {
    await server.dispose();
    throw error;
  }
}

async function saysReady(child: ChildProcess): Promise<void> {
  let said = '';
  child.stderr?.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-4000);
  });
  while (!said.includes('Server is ready')) {
    if (child.exitCode !== null) throw new Error(`nats-server ended:\n${said}`);
    await delay(5);
  }
}
