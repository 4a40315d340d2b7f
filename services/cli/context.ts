// What every command is given: where to write, when to stop, and the services (connected on first use).
import type { Command } from 'commander';
import type { CliConfig } from './config.ts';
import { connectServices, type Services } from './connect.ts';
import { createOutput, type Output } from './output.ts';

export interface Context {
  readonly config: CliConfig;
  readonly output: Output;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
  /** The services: the configured ones, a running `strata up`, or ones started for this command alone. */
  services(): Promise<Services>;
  /** Disconnects, and stops what was started for this command. */
  close(): Promise<void>;
}

/** Makes commander's action of a handler that is given a context before its own arguments. */
export type Act = <Args extends unknown[]>(
  handler: (context: Context, ...args: Args) => Promise<void>,
) => (...args: Args) => Promise<void>;

interface ContextOptions {
  config: CliConfig;
  json: boolean;
  signal: AbortSignal;
  stdout?: NodeJS.WriteStream;
  stderr?: NodeJS.WriteStream;
}

export function createContext(options: ContextOptions): Context {
  const { config, json, signal, stdout = process.stdout, stderr = process.stderr } = options;
  const output = createOutput({ json, stdout, stderr });
  let services: Promise<Services> | undefined;
  return {
    config,
    output,
    signal,
    services() {
      services ??= connectServices(config, output);
      return services;
    },
    async close() {
      await (await services)?.close();
    },
  };
}

/** Commander hands the command itself over as the last argument: the global options are read from it. */
export const createAct =
  (config: CliConfig, signal: AbortSignal): Act =>
  (handler) =>
  async (...args) => {
    const command = args.at(-1) as Command;
    const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
    const context = createContext({ config, json, signal });
    try {
      await handler(context, ...args);
    } finally {
      await context.close();
    }
  };
