// strata tokenizer: train | list | show | encode | decode
import type { Command } from 'commander';
import { Option } from 'commander';
import { formatRef } from '#lib/contracts/format-ref.ts';
import { SpecialTokens, type Tokenizer, TokenizerKind } from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
import { fromInt32Bytes, toInt32Bytes } from '#lib/contracts/int32.ts';
import type { Act } from '../context.ts';
import { toNumber } from '../options.ts';
import { fields, table } from '../output.ts';
import { parseRef } from '../refs.ts';
import { trainTokenizer } from '../work/train-tokenizer.ts';

const kinds = { 'byte-bpe': TokenizerKind.TOKENIZER_KIND_BYTE_BPE, char: TokenizerKind.TOKENIZER_KIND_CHAR } as const;

const kindName = (kind: TokenizerKind): string =>
  Object.entries(kinds).find(([, value]) => value === kind)?.[0] ?? 'unknown';

const show = (tokenizer: Tokenizer): string =>
  fields({
    tokenizer: formatRef(tokenizer.ref),
    kind: kindName(tokenizer.kind),
    vocabulary: tokenizer.vocabSize,
    'special tokens': Object.keys(tokenizer.specialTokens).join(' '),
    'chat template': tokenizer.chatTemplate ? 'yes' : 'no',
    sha256: tokenizer.sha256,
    created: tokenizer.createTime,
  });

export function addTokenizerCommands(program: Command, act: Act): void {
  const tokenizer = program.command('tokenizer').description('vocabularies: train, look at, encode, decode');

  tokenizer
    .command('train <name> <files...>')
    .description('train a vocabulary on text files')
    .addOption(new Option('--kind <kind>', 'how text is cut').choices(Object.keys(kinds)).default('byte-bpe'))
    .option('--vocab-size <n>', 'ids in all (byte-bpe)', toNumber, 4096)
    .addHelpText('after', '\nExample:\n  strata tokenizer train docs notes.md manual.txt --vocab-size 4096')
    .action(
      act(async (context, name: string, files: string[], options: { kind: keyof typeof kinds; vocabSize: number }) => {
        const made = await trainTokenizer(context, {
          name,
          files,
          kind: kinds[options.kind],
          vocabSize: options.vocabSize,
        });
        context.output.result(made, show);
      }),
    );

  tokenizer
    .command('list')
    .description('all vocabularies, the built-in ones included')
    .action(
      act(async (context) => {
        const { tokenizers } = await (await context.services()).tokenizer.listTokenizers({});
        context.output.result(tokenizers, (all) =>
          table(
            ['TOKENIZER', 'KIND', 'VOCABULARY', 'CREATED'],
            all.map((one) => [formatRef(one.ref), kindName(one.kind), String(one.vocabSize), one.createTime]),
            'no tokenizer yet: strata tokenizer train --help',
          ),
        );
      }),
    );

  tokenizer
    .command('show <ref>')
    .description('one vocabulary')
    .action(
      act(async (context, ref: string) => {
        const { tokenizer: found } = await (await context.services()).tokenizer.getTokenizer({
          tokenizer: parseRef(ref),
        });
        if (found) context.output.result(found, show);
      }),
    );

  tokenizer
    .command('encode <ref> <text>')
    .description('text -> ids')
    .option('--special', 'special tokens in the text become their own ids')
    .addHelpText('after', "\nExample:\n  strata tokenizer encode gpt2 'Hello, world'")
    .action(
      act(async (context, ref: string, text: string, { special }: { special?: boolean }) => {
        const specialTokens = special ? SpecialTokens.SPECIAL_TOKENS_PARSE : SpecialTokens.SPECIAL_TOKENS_TEXT;
        const client = (await context.services()).tokenizer;
        const { ids } = await client.encode({ tokenizer: parseRef(ref), text, specialTokens });
        context.output.result([...fromInt32Bytes(ids)], (list) => list.join(' '));
      }),
    );

  tokenizer
    .command('decode <ref> <ids...>')
    .description('ids -> text')
    .addHelpText('after', '\nExample:\n  strata tokenizer decode gpt2 15496 11 995')
    .action(
      act(async (context, ref: string, ids: string[]) => {
        const client = (await context.services()).tokenizer;
        const { text } = await client.decode({ tokenizer: parseRef(ref), ids: toInt32Bytes(ids.map(Number)) });
        context.output.result(text, (value) => value);
      }),
    );
}
