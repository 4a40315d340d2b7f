// Many events, and consumers that kill themselves at random moments: before an event is entered into a ledger, after, and after it is
// acknowledged. What the ledger says in the end is what counts: every event, once.
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { type KeyValue, update } from '../key-value.ts';
import type { Platform } from '../platform.ts';
import { testEvent } from './test-event.ts';

const pages = 64;

interface Page {
  count: number;
  ids: string[];
}

/** Adds one for an event, whatever others do; an event that is there already changes nothing. */
export const enter = (state: KeyValue, id: string): Promise<unknown> =>
  update<Page>(state, `ledger.${Number(id) % pages}`, (page = { count: 0, ids: [] }) =>
    page.ids.includes(id) ? undefined : { count: page.count + 1, ids: [...page.ids, id] },
  );

async function readLedger(state: KeyValue): Promise<Page> {
  const found = (await state.list<Page>('ledger')).map(({ value }) => value);
  return { count: found.reduce((sum, { count }) => sum + count, 0), ids: found.flatMap(({ ids }) => ids) };
}

export interface CrashOptions {
  /** The environment of child-process.ts. */
  config: string;
  events: number;
  processes: number;
  /** A process dies at about every so manieth event. */
  dieOneIn: number;
  timeoutMs: number;
}

export interface CrashResult {
  /** What the ledger has counted, and how many different events that is. */
  counted: number;
  different: number;
  crashes: number;
  seconds: number;
}

/** Publishes the events, keeps so many consumers alive, and looks until the ledger has all of them. */
export async function countThroughCrashes(platform: Platform, options: CrashOptions): Promise<CrashResult> {
  const { events, timeoutMs } = options;
  const began = Date.now();
  const consumers = keepAlive(options);
  try {
    for (let i = 1; i <= events; i++) await platform.events.publish(testEvent(String(i)));
    let page = await readLedger(platform.state);
    for (; page.ids.length < events && Date.now() - began < timeoutMs; page = await readLedger(platform.state)) {
      await delay(100);
    }
    // What comes again now must change nothing.
    await delay(1000);
    const { count, ids } = await readLedger(platform.state);
    const seconds = (Date.now() - began) / 1000;
    return { counted: count, different: new Set(ids).size, crashes: consumers.crashes(), seconds };
  } finally {
    await consumers.stop();
  }
}

function keepAlive({ config, processes, dieOneIn }: CrashOptions) {
  const program = new URL('./child-process.ts', import.meta.url).pathname;
  let crashes = 0;
  let isOver = false;
  const stops = new Set<() => void>();
  const keepOne = async (): Promise<void> => {
    while (!isOver) {
      const child = spawn(process.execPath, [program, config, 'tally', 'tally', String(dieOneIn)], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      const stop = (): void => void child.kill('SIGKILL');
      stops.add(stop);
      const signal = await new Promise<string | null>((resolve) => child.once('exit', (_, name) => resolve(name)));
      stops.delete(stop);
      if (!isOver && signal === 'SIGKILL') crashes++;
      else if (!isOver) throw new Error('a consumer ended by itself');
    }
  };
  const keeping = Promise.all(Array.from({ length: processes }, keepOne));
  keeping.catch(() => undefined);
  return {
    crashes: () => crashes,
    async stop(): Promise<void> {
      isOver = true;
      for (const stop of stops) stop();
      await keeping;
    },
  };
}
