// Runs a program to its end: what it says on stdout, or an error that shows the command and the last lines of what it said.
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Readable } from 'node:stream';

export interface ExecOptions {
  /** Written to its stdin. */
  input?: string | Readable;
  /** Where its stdout goes, byte for byte, instead of being returned. */
  outputFile?: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Default: ten minutes. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export class ExecError extends Error {
  override readonly name = 'ExecError';
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
  constructor(command: string, ended: { code: number | null; reason: string; stdout: string; stderr: string }) {
    const said = (ended.stderr.trim() || ended.stdout.trim()).split('\n').slice(-15).join('\n');
    super(`${command}: ${ended.reason}\n${said}`);
    this.stdout = ended.stdout;
    this.stderr = ended.stderr;
    this.code = ended.code;
  }
}

/** @throws {ExecError} unless it exits with 0 in time. */
export function exec(program: string, args: readonly string[], options: ExecOptions = {}): Promise<string> {
  const { input, outputFile, timeoutMs = 600_000, signal, ...spawnOptions } = options;
  const output = outputFile === undefined ? undefined : openSync(outputFile, 'w');
  const timeout = AbortSignal.timeout(timeoutMs);
  const child = spawn(program, args, {
    ...spawnOptions,
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    killSignal: 'SIGKILL',
    stdio: [input === undefined ? 'ignore' : 'pipe', output ?? 'pipe', 'pipe'],
  });
  if (output !== undefined) closeSync(output);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  feed(child.stdin, input);
  return new Promise((resolve, reject) => {
    const fail = (code: number | null, reason: string) =>
      reject(
        new ExecError([program, ...args].join(' '), { code, reason, stdout: stdout.text(), stderr: stderr.text() }),
      );
    child.once('error', (error) =>
      fail(null, timeout.aborted ? `did not end within ${timeoutMs / 1000} s` : error.message),
    );
    child.once('close', (code, killer) =>
      code === 0 ? resolve(stdout.text()) : fail(code, killer ? `killed by ${killer}` : `exit code ${code}`),
    );
  });
}

function collect(stream: Readable | null): { text(): string } {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk) => chunks.push(chunk));
  return { text: () => Buffer.concat(chunks).toString('utf8') };
}

/** A program that stops reading before the end says so by its exit code, not by a broken pipe of ours. */
function feed(stdin: NodeJS.WritableStream | null, input: string | Readable | undefined): void {
  stdin?.on('error', () => {});
  if (typeof input === 'string') stdin?.end(input);
  else if (stdin) input?.pipe(stdin);
}
