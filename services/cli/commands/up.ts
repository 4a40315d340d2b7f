// strata up: every service in one process, until Ctrl-C.
import type { Command } from 'commander';
import { nextSignal } from '#lib/platform/run-service.ts';
import type { Act } from '../context.ts';
import { fields } from '../output.ts';
import { startAll } from '../up.ts';

export function addUpCommand(program: Command, act: Act): void {
  program
    .command('up')
    .description('run all services on this machine until Ctrl-C; other commands find them')
    .addHelpText(
      'after',
      '\nExample:\n  strata up\n  # then, elsewhere: strata model list, or any OpenAI client against the gateway',
    )
    .action(
      act(async ({ config, output }) => {
        const signal = nextSignal(); // from now on a stop is an orderly one, also while the services start
        const started = await startAll(config, { fixedPorts: true });
        output.event(started.addresses, (addresses) =>
          fields({
            ...addresses,
            gateway: `http://${addresses.gateway}  (OpenAI-compatible: http://${addresses.gateway}/v1)`,
            home: config.home,
          }),
        );
        output.note('Ctrl-C stops; running jobs checkpoint first.');
        await signal;
        await started.stop();
      }),
    );
}
