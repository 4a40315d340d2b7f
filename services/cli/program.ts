// The command tree of `strata`.
import tab from '@bomb.sh/tab/commander';
import { Command } from 'commander';
import { addBackupCommands } from './commands/backup.ts';
import { addCatalogueCommands } from './commands/catalogue.ts';
import { addCheckCommand } from './commands/check.ts';
import { addDatasetCommands } from './commands/dataset.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addEvaluateCommands } from './commands/evaluate.ts';
import { addEventsCommands } from './commands/events.ts';
import { addGenerateCommands } from './commands/generate.ts';
import { addKeyCommands } from './commands/key.ts';
import { addModelCommands } from './commands/model.ts';
import { addLabelsCommands, addPipelineCommands } from './commands/pipeline.ts';
import { addRunCommands } from './commands/run.ts';
import { addTokenizerCommands } from './commands/tokenizer.ts';
import { addUpCommand } from './commands/up.ts';
import type { Act } from './context.ts';

export function createProgram(act: Act, version: string): Command {
  const program = new Command('strata')
    .description('From raw text to a served, continuously finetuned language model.')
    .version(version)
    .exitOverride()
    .option('--json', 'print the result as JSON (progress and remarks are silent)')
    .showHelpAfterError('(strata --help lists the commands, strata <command> --help gives examples)')
    .addHelpText(
      'after',
      `
Examples:
  strata demo                                        the whole life of a model, in minutes
  strata chat smollm2-135m-instruct                  talk with an open model, on this machine alone
  strata up                                          keep the services running; other commands find them
  strata tokenizer train notes notes.txt             then: dataset create, run create, evaluate, generate

Environment: STRATA_HOME (state; ~/.strata), STRATA_CACHE_DIR (fetched things), STRATA_DATA_DIR (a folder of your own data),
STRATA_<SERVICE>_ADDRESS (services elsewhere),
STRATA_GATEWAY_ADDRESS and STRATA_API_KEY (all services behind a gateway, https://host:port), STRATA_DEVICE (cpu or cuda).
Exit codes: 0 done · 1 failed · 2 wrong usage or input · 3 not found · 4 not possible now · 5 unavailable · 130 interrupted.`,
    );
  for (const add of [
    addUpCommand,
    addDemoCommand,
    addTokenizerCommands,
    addDatasetCommands,
    addRunCommands,
    addEvaluateCommands,
    addModelCommands,
    addGenerateCommands,
    addLabelsCommands,
    addPipelineCommands,
    addEventsCommands,
    addCatalogueCommands,
    addBackupCommands,
    addCheckCommand,
    addKeyCommands,
  ]) {
    add(program, act);
  }
  tab(program, { completionCommandName: 'completion' });
  return program;
}
