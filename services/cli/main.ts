// `strata`: a client of the services, and `strata up`, which runs them all in one process.

import { CommanderError } from 'commander';
import { ConfigError } from '#lib/platform/config.ts';
import { type ErrorCode, fromUnknown } from '#lib/platform/errors.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { loadConfig } from './config.ts';
import { createAct } from './context.ts';
import { createProgram } from './program.ts';

const exitCodes: Partial<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: 2,
  OUT_OF_RANGE: 2,
  NOT_FOUND: 3,
  FAILED_PRECONDITION: 4,
  RESOURCE_EXHAUSTED: 4,
  UNAVAILABLE: 5,
  DEADLINE_EXCEEDED: 5,
  CANCELLED: 130,
};

async function run(): Promise<number> {
  const interrupt = new AbortController();
  process.once('SIGINT', () => {
    interrupt.abort();
    process.once('SIGINT', () => process.exit(130));
  });
  // A reader that has gone (`strata … | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const json = process.argv.includes('--json');
  try {
    const program = createProgram(createAct(loadConfig(), interrupt.signal), packageJson.version);
    await program.parseAsync();
    return 0;
  } catch (error) {
    // Commander has said what is wrong, or shown the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof ConfigError) {
      console.error(error.message);
      return 2;
    }
    const { code, message, cause } = fromUnknown(error);
    console.error(json ? JSON.stringify({ error: { code, message } }) : `strata: ${message}`);
    if (code === 'INTERNAL' && cause) console.error(cause);
    return exitCodes[code] ?? 1;
  }
}

process.exitCode = await run();
