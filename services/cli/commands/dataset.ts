// strata dataset: create | list | show | preview
import { type Command, Option } from 'commander';
import { formatRef } from '#lib/contracts/format-ref.ts';
import {
  type Dataset,
  DatasetKind,
  Split,
  type SplitStatistics,
} from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import type { Act } from '../context.ts';
import { toNumber } from '../options.ts';
import { fields, formatCount, table } from '../output.ts';
import { parseMixturePart, parseRef } from '../refs.ts';
import { createDataset } from '../work/create-dataset.ts';

export const datasetKinds = {
  text: DatasetKind.DATASET_KIND_TEXT,
  labelled: DatasetKind.DATASET_KIND_LABELLED,
  instructions: DatasetKind.DATASET_KIND_INSTRUCTIONS,
} as const;

export const splits = {
  train: Split.SPLIT_TRAIN,
  validation: Split.SPLIT_VALIDATION,
  test: Split.SPLIT_TEST,
} as const;

export type SplitName = keyof typeof splits;

const nameOf = (names: Record<string, number>, value: number): string =>
  Object.entries(names).find(([, one]) => one === value)?.[0] ?? 'unknown';

const showSplit = ({ documents, tokens, labels }: SplitStatistics): string => {
  const perLabel = Object.entries(labels).map(([label, rows]) => `${label} ${formatCount(rows)}`);
  return [`${formatCount(documents)} documents`, `${formatCount(tokens)} tokens`, ...perLabel].join(', ');
};

const show = (dataset: Dataset): string =>
  fields({
    dataset: formatRef(dataset.ref),
    kind: nameOf(datasetKinds, dataset.kind),
    tokenizer: `${formatRef(dataset.tokenizer)} (${formatCount(dataset.vocabSize)} ids)`,
    ...Object.fromEntries(dataset.splits.map((one) => [nameOf(splits, one.split), showSplit(one)])),
    dropped: Object.entries(dataset.dropped)
      .map(([reason, count]) => `${reason} ${formatCount(count)}`)
      .join(', '),
    'first dropped': dataset.droppedRows
      .map(({ reason, source, line }) => `${source} line ${line} (${reason})`)
      .slice(0, 3)
      .join(', '),
    sha256: dataset.sha256,
    created: dataset.createTime,
  });

interface CreateFlags {
  kind: keyof typeof datasetKinds;
  tokenizer: string;
  validation?: number;
  test?: number;
  contiguous?: boolean;
  seed: number;
  keepDuplicates?: boolean;
  separator: string;
  maxRowTokens: number;
  validationFile?: string[];
  testFile?: string[];
  column?: string[];
  labelNames?: string[];
}

export function addDatasetCommands(program: Command, act: Act): void {
  const dataset = program.command('dataset').description('datasets: clean, de-duplicate, split, shard, look at');

  dataset
    .command('create <name> <files...>')
    .description('make a dataset of text, JSONL, JSON, CSV or TSV files')
    .requiredOption('--tokenizer <ref>', 'a trained vocabulary, gpt2, or model:<name>')
    .addOption(new Option('--kind <kind>', 'what the rows are').choices(Object.keys(datasetKinds)).default('text'))
    .option('--validation <share>', 'share held out for validation (default 0.1; 0 beside files of a part)', toNumber)
    .option('--test <share>', 'share held out for the test (default 0)', toNumber)
    .option('--validation-file <file...>', 'rows that all go to validation')
    .option('--test-file <file...>', 'rows that all go to the test')
    .option('--contiguous', 'hold out the end of the text, not documents by their hash')
    .option('--seed <n>', 'seed of the split', toNumber, 1)
    .option('--keep-duplicates', 'keep documents that say the same')
    .option('--separator <text>', 'what separates documents in a text file, such as "\\n\\n\\n"', '')
    .option('--max-row-tokens <n>', 'longest row', toNumber, 0)
    .option('--column <role=name...>', 'which column is text, label, instruction, input, output or messages')
    .option('--label-names <name...>', 'the classes in the order of their ids, where rows give numbers')
    .addHelpText(
      'after',
      '\nExamples:\n  strata dataset create notes notes.txt --tokenizer docs\n  strata dataset create sms train.csv --kind labelled --tokenizer gpt2 --validation-file validation.csv --label-names ham spam',
    )
    .action(
      act(async (context, name: string, files: string[], flags: CreateFlags) => {
        const { kind, tokenizer, validation, test, contiguous = false, keepDuplicates = false, ...rest } = flags;
        const made = await createDataset(context, {
          name,
          kind: datasetKinds[kind],
          tokenizer: parseRef(tokenizer),
          files: [
            ...files.map((path) => ({ path })),
            ...(rest.validationFile ?? []).map((path) => ({ path, split: Split.SPLIT_VALIDATION })),
            ...(rest.testFile ?? []).map((path) => ({ path, split: Split.SPLIT_TEST })),
          ],
          ...(validation !== undefined && { validationShare: validation }),
          ...(test !== undefined && { testShare: test }),
          contiguousSplit: contiguous,
          keepDuplicates,
          seed: rest.seed,
          documentSeparator: rest.separator.replaceAll('\\n', '\n'),
          maxRowTokens: rest.maxRowTokens,
          columns: Object.fromEntries((rest.column ?? []).map((column) => column.split(/=(.*)/s, 2))),
          labelNames: rest.labelNames ?? [],
        });
        context.output.result(made, show);
      }),
    );

  dataset
    .command('list')
    .description('all datasets')
    .action(
      act(async (context) => {
        const { datasets } = await (await context.services()).dataSampler.listDatasets({});
        const tokens = (one: Dataset) => one.splits.reduce((sum, split) => sum + split.tokens, 0);
        context.output.result(datasets, (all) =>
          table(
            ['DATASET', 'KIND', 'TOKENIZER', 'TOKENS', 'CREATED'],
            all.map((one) => [
              formatRef(one.ref),
              nameOf(datasetKinds, one.kind),
              formatRef(one.tokenizer),
              formatCount(tokens(one)),
              one.createTime,
            ]),
            'no dataset yet: strata dataset create --help',
          ),
        );
      }),
    );

  dataset
    .command('show <ref>')
    .description('one dataset')
    .action(
      act(async (context, ref: string) => {
        const { dataset: found } = await (await context.services()).dataSampler.getDataset({ dataset: parseRef(ref) });
        if (found) context.output.result(found, show);
      }),
    );

  dataset
    .command('preview <refs...>')
    .description('the first samples of a mixture (name or name=weight), and the share each dataset gets')
    .addOption(new Option('--split <split>', 'which part').choices(Object.keys(splits)).default('train'))
    .option('--samples <n>', 'how many', toNumber, 3)
    .option('--block-size <n>', 'tokens of a sample', toNumber, 64)
    .option('--seed <n>', 'seed of the order', toNumber, 1)
    .addHelpText('after', '\nExample:\n  strata dataset preview docs=3 code=1 --samples 5')
    .action(
      act(
        async (
          context,
          refs: string[],
          flags: { split: SplitName; samples: number; blockSize: number; seed: number },
        ) => {
          const preview = await (await context.services()).dataSampler.previewMixture({
            ...flags,
            mixture: refs.map(parseMixturePart),
            split: splits[flags.split],
          });
          context.output.result(preview, ({ samples, shares }) =>
            [
              ...shares.map((one) => `${formatRef(one.dataset)}  ${(one.share * 100).toFixed(1)} %`),
              ...samples.map(
                (one) => `--- ${formatRef(one.dataset)}${one.label ? ` · ${one.label}` : ''}\n${one.text}`,
              ),
            ].join('\n'),
          );
        },
      ),
    );
}
