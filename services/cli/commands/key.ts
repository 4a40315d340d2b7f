// strata key: create. Nothing is sent anywhere: the entry goes into the gateway's keys file by whoever owns that.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { stringify } from 'yaml';
import { createApiKey, hashApiKey, type KeyEntry, keyEntrySchema, type Scope, scopes } from '#lib/platform/api-key.ts';
import { refuse } from '#lib/platform/check.ts';
import type { Act } from '../context.ts';
import { toNumber } from '../options.ts';

interface KeyOptions {
  name: string;
  tenant?: string;
  scope: Scope[];
  expires?: string;
  requestsPerMinute?: number;
  tokensPerMinute?: number;
  concurrent?: number;
}

const collectScope = (text: string, earlier: Scope[] = []): Scope[] => {
  const scope = scopes.find((one) => one === text);
  if (!scope) throw new InvalidArgumentError(`It has to be one of ${scopes.join(', ')}.`);
  return [...earlier, scope];
};

export function addKeyCommands(program: Command, act: Act): void {
  const key = program.command('key').description('keys for the gateway');

  key
    .command('create')
    .description("make a key: it is shown once, with the entry for the gateway's keys file, which has only its hash")
    .requiredOption('--name <name>', 'how logs and audit events call it')
    .addOption(
      new Option('--scope <scope>', `what it may do: ${scopes.join(', ')}; may be repeated`)
        .argParser(collectScope)
        .makeOptionMandatory(),
    )
    .option('--tenant <tenant>', 'whose it is: it sees only names that begin with "<tenant>-"; without: everything')
    .option('--expires <date>', 'the day or time from which on it does not count (2027-01-31)')
    .option('--requests-per-minute <n>', 'for each replica of the gateway', toNumber)
    .option('--tokens-per-minute <n>', 'prompt and answer, for each replica of the gateway', toNumber)
    .option('--concurrent <n>', 'calls at once, for each replica of the gateway', toNumber)
    .addHelpText(
      'after',
      '\nExample:\n  strata key create --name acme-ci --tenant acme --scope inference --scope write',
    )
    .action(
      act(async ({ output }, options: KeyOptions) => {
        const secret = createApiKey();
        const entry = toEntry(options, secret);
        output.note('The key is shown this once; the gateway keeps only its hash.');
        output.result({ key: secret, entry }, () => `${secret}\n\n${stringify([entry]).trimEnd()}`);
      }),
    );
}

/** @throws {AppError} INVALID_ARGUMENT that names every wrong option */
function toEntry({ name, tenant, scope, expires, ...given }: KeyOptions, secret: string): KeyEntry {
  const limits = Object.fromEntries(
    (['requestsPerMinute', 'tokensPerMinute', 'concurrent'] as const).flatMap((one) =>
      given[one] === undefined ? [] : [[one, given[one]]],
    ),
  );
  const { data, error } = keyEntrySchema.safeParse({
    name,
    sha256: hashApiKey(secret).toString('hex'),
    ...(tenant !== undefined && { tenant }),
    scopes: scope,
    ...(expires !== undefined && { expires }),
    ...(Object.keys(limits).length && { limits }),
  });
  refuse((error?.issues ?? []).map(({ path, message }) => ({ field: `--${path.join('.')}`, description: message })));
  return data as KeyEntry;
}
