// What benchmarks share: contestants as processes that take turns, medians, and the JSON line at the end.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import path from 'node:path';
import { createInterface, type Interface } from 'node:readline';

export const root = path.join(import.meta.dirname, '../..');

/** The Python of the peers. Throws where it was not made yet. */
export function peersPython(): string {
  const python = path.join(root, '.cache/peers/bin/python');
  if (existsSync(python)) return python;
  throw new Error('the Python peers are missing: make them with `sh tests/parity/make-peers.sh` (about two minutes)');
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** A process that works only when asked: one line in, one line of JSON out. */
export interface Contestant extends AsyncDisposable {
  readonly name: string;
  ask<Answer>(line: string): Promise<Answer>;
}

export function startContestant(name: string, [command, ...args]: readonly [string, ...string[]]): Contestant {
  const child = spawn(command, args, { cwd: root, stdio: ['pipe', 'pipe', 'pipe'] });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-2000);
  });
  const lines = createInterface({ input: child.stdout });
  return {
    name,
    async ask<Answer>(line: string) {
      child.stdin.write(`${line}\n`);
      const answer = await nextLine(child, lines);
      if (answer === undefined) throw new Error(`${name} ended before it answered\n${complaints}`);
      return JSON.parse(answer) as Answer;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      if (child.exitCode === null && child.signalCode === null)
        await new Promise((resolve) => child.once('exit', resolve));
    },
  };
}

/** undefined where the process ends first. */
function nextLine(child: ChildProcess, lines: Interface): Promise<string | undefined> {
  return new Promise((resolve) => {
    const settle = (line: string | undefined) => {
      lines.off('line', settle);
      child.off('exit', ended);
      resolve(line);
    };
    const ended = () => settle(undefined);
    lines.once('line', settle);
    child.once('exit', ended);
  });
}

/**
 * Lets contestants take turns, never two at once, so that a slow minute of the machine is everybody's. Returns the
 * answers of each, in the order of rounds.
 */
export async function takeTurns<Answer>(
  contestants: readonly Contestant[],
  { rounds, line }: { rounds: number; line: string },
): Promise<Map<string, Answer[]>> {
  const answers = new Map<string, Answer[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contestant of contestants) answers.get(contestant.name)?.push(await contestant.ask<Answer>(line));
  }
  return answers;
}

/** The last line of a benchmark. `ratio` is ours to the peer's, above 1 where ours is better; the load says what else the machine did. */
export function report(result: { bench: string; ratio: number; goal: number } & Record<string, unknown>): void {
  console.log(
    JSON.stringify({
      ...result,
      load_average: loadavg().map((load) => Number(load.toFixed(2))),
      cores: availableParallelism(),
    }),
  );
  if (result.ratio < result.goal) process.exitCode = 1;
}
