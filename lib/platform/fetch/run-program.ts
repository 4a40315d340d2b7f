// Runs the programs that fetch for us: pip and go.
import { spawn } from 'node:child_process';

export interface Ended {
  code: number | null;
  /** The end of what it said, on both streams. */
  output: string;
}

export interface RunOptions {
  /** Default: what this process has. */
  env?: NodeJS.ProcessEnv | undefined;
  signal?: AbortSignal | undefined;
  cwd?: string;
}

/** Runs `[NAME=value …] command …` through env(1), which adds to the environment and answers 127 for an unknown command. */
export const run = (words: string[], options: RunOptions): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn('/usr/bin/env', words, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output = (output + chunk).slice(-4000);
      });
    }
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
