// strata events dead-letters: list | replay

import { type Command, InvalidArgumentError } from 'commander';
import type { DeadLetter } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import type { Act, Context } from '../context.ts';
import { table } from '../output.ts';

const mostLetters = 1000;

const showLetters = (letters: DeadLetter[]): string =>
  table(
    ['ID', 'TIME', 'CONSUMER', 'EVENT', 'EVENT ID', 'ATTEMPTS', 'REASON'],
    letters.map(({ id, time, durable, eventType, eventId, attempts, reason }) => [
      id,
      time,
      durable,
      eventType,
      eventId,
      String(attempts),
      reason,
    ]),
    'no dead letters: every event was handled',
  );

interface Selection {
  consumer?: string;
  limit?: number;
}

async function listLetters(context: Context, { consumer = '', limit = 100 }: Selection): Promise<DeadLetter[]> {
  const { orchestrator } = await context.services();
  return (await orchestrator.listDeadLetters({ durable: consumer, limit })).deadLetters;
}

/** Which letters are meant: those that were named, or with --all those that are there now, the oldest first. */
async function chooseLetters(context: Context, ids: string[], { all = false, consumer }: ReplayOptions) {
  if (all === ids.length > 0) throw invalidArgument('id', 'name the dead letters to replay, or give --all');
  if (!all) return ids;
  const letters = await listLetters(context, { ...(consumer && { consumer }), limit: mostLetters });
  return letters.map(({ id }) => id).reverse();
}

interface ReplayOptions {
  all?: boolean;
  consumer?: string;
}

function toLimit(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= mostLetters) return limit;
  throw new InvalidArgumentError(`A whole number from 1 to ${mostLetters}.`);
}

export function addEventsCommands(program: Command, act: Act): void {
  const letters = program
    .command('events')
    .description('events between the services')
    .command('dead-letters')
    .description('events that could not be handled, with the reason');

  letters
    .command('list')
    .description('the newest first')
    .option('--consumer <name>', 'of this consumer only')
    .option('--limit <count>', 'how many', toLimit)
    .action(
      act(async (context, options: Selection) =>
        context.output.result(await listLetters(context, options), showLetters),
      ),
    );

  letters
    .command('replay [id...]')
    .description('deliver dead letters anew to the consumers that failed, and remove them')
    .option('--all', 'all that are there now')
    .option('--consumer <name>', 'with --all: of this consumer only')
    .addHelpText(
      'after',
      '\nExamples:\n  strata events dead-letters replay 7\n  strata events dead-letters replay --all',
    )
    .action(
      act(async (context, ids: string[], options: ReplayOptions) => {
        const { orchestrator } = await context.services();
        const chosen = await chooseLetters(context, ids, options);
        for (const deadLetterId of chosen) await orchestrator.replayDeadLetter({ deadLetterId });
        context.output.result({ replayed: chosen }, ({ replayed }) =>
          replayed.length === 1 ? '1 dead letter replayed' : `${replayed.length} dead letters replayed`,
        );
      }),
    );
}
