// What every implementation of the seams gives to the contract suites: a fresh store that several clients and processes can open.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach } from '@jest/globals';
import type { Platform } from '../platform.ts';

export interface Harness {
  /** One more client of the same store, closed by the suite. */
  open(): Promise<Platform>;
  /** The environment that another process opens it with, as JSON. */
  readonly config: string;
  dispose(): Promise<void>;
}

export type CreateHarness = () => Promise<Harness>;

/** Opens and closes harness and clients around each test. */
export function useHarness(create: CreateHarness) {
  const platforms: Platform[] = [];
  const children: ChildProcess[] = [];
  const harnesses: Harness[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await Promise.all(platforms.splice(0).map((platform) => platform.close()));
    await Promise.all(harnesses.splice(0).map((harness) => harness.dispose()));
  });

  const harness = async (): Promise<Harness> => {
    const [current] = harnesses;
    if (current) return current;
    const created = await create();
    harnesses.push(created);
    return created;
  };

  return {
    async open(): Promise<Platform> {
      const platform = await (await harness()).open();
      platforms.push(platform);
      return platform;
    },
    /** The environment of child-process.ts on the same store. */
    config: async (): Promise<string> => (await harness()).config,
    /** Runs an action of child-process.ts in a process of its own on the same store. */
    async spawn(action: string, ...args: (string | number)[]): Promise<Child> {
      const program = new URL('./child-process.ts', import.meta.url).pathname;
      const { config } = await harness();
      const child = spawn(process.execPath, [program, config, action, ...args.map(String)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.push(child);
      return toChild(child);
    },
  };
}

export interface Child {
  /** Nobody may drop a pending `next()`: it would swallow the line that it brings. */
  readonly lines: AsyncIterableIterator<string>;
  /** Kills it with SIGKILL and waits until it is gone. */
  kill(): Promise<void>;
  /** Its exit code, null after a signal. */
  exited(): Promise<number | null>;
}

function toChild(child: ChildProcess): Child {
  if (!child.stdout) throw new Error('the child has no output');
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  return {
    lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](),
    async kill() {
      child.kill('SIGKILL');
      await exit;
    },
    exited: () => exit,
  };
}
