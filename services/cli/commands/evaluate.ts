// strata evaluate: a model's scores, each beside its plain baseline.
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { formatRef } from '#lib/contracts/format-ref.ts';
import type { Score } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type {
  ConfusionMatrix,
  DeepPartial,
  Evaluation,
  EvaluationTask,
} from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import type { Act, Context } from '../context.ts';
import { toNumber } from '../options.ts';
import { formatCount, table } from '../output.ts';
import { parseRef } from '../refs.ts';
import { uploadSources } from '../work/upload-sources.ts';
import { evaluate } from '../work/watch-evaluation.ts';
import { type SplitName, splits } from './dataset.ts';

interface Flags {
  dataset?: string;
  classify?: string;
  instructions?: string;
  task?: string[];
  limit: number;
  split: SplitName;
  blockSize: number;
  maxTokens: number;
  prompt?: string[];
  maxNewTokens: number;
  seed: number;
}

async function toTasks(context: Context, flags: Flags): Promise<DeepPartial<EvaluationTask>[]> {
  const split = splits[flags.split];
  const { blockSize, maxTokens, maxNewTokens, limit, seed } = flags;
  const tasks: DeepPartial<EvaluationTask>[] = [];
  if (flags.dataset) {
    const value = { dataset: parseRef(flags.dataset), split, blockSize, maxTokens };
    tasks.push({ task: { $case: 'languageModelling', value } });
  }
  if (flags.classify)
    tasks.push({ task: { $case: 'classification', value: { dataset: parseRef(flags.classify), split } } });
  if (flags.instructions) {
    const value = { dataset: parseRef(flags.instructions), split, limit, maxNewTokens };
    tasks.push({ task: { $case: 'instructionFollowing', value } });
  }
  const rows = await uploadSources(context, flags.task ?? []);
  for (const [index, path] of (flags.task ?? []).entries()) {
    const object = rows[index];
    const value = { name: basename(path).replace(/\.jsonl?$/, ''), limit, ...(object && { rows: object }) };
    tasks.push({ task: { $case: 'likelihood', value } });
  }
  if (flags.prompt) {
    tasks.push({
      task: { $case: 'samples', value: { prompts: flags.prompt, maxNewTokens, temperature: 0.8, topK: 200, seed } },
    });
  }
  if (!tasks.length)
    throw invalidArgument(
      'tasks',
      'nothing to evaluate: add --dataset, --classify, --instructions, --task or --prompt',
    );
  return tasks;
}

const number = (value: number): string => (Number.isFinite(value) ? value.toFixed(4) : 'n/a');

const scoreRow = (task: string, { metric, value, count, baselines }: Score): string[] => [
  task,
  metric,
  number(value),
  Object.entries(baselines)
    .map(([name, baseline]) => `${name.replaceAll('_', ' ')} ${number(baseline)}`)
    .join(', '),
  formatCount(count),
];

/** Rows: what it is; columns: what the model says. */
const showConfusion = ({ labels, counts }: ConfusionMatrix): string =>
  table(
    ['TRUE \\ PREDICTED', ...labels],
    labels.map((label, row) => [
      label,
      ...labels.map((_, column) => String(counts[row * labels.length + column] ?? 0)),
    ]),
    '',
  );

export const showEvaluation = ({ model, results }: Evaluation): string =>
  [
    `model ${formatRef(model)}`,
    table(
      ['TASK', 'METRIC', 'VALUE', 'BASELINES', 'COUNT'],
      results.flatMap(({ task, scores }) => scores.map((score) => scoreRow(task, score))),
      'no scores',
    ),
    ...results.flatMap(({ confusion }) => (confusion?.labels.length ? [showConfusion(confusion)] : [])),
    ...results.flatMap(({ samples }) => samples.map(({ prompt, text }) => `--- ${prompt}\n${text}`)),
  ].join('\n\n');

export function addEvaluateCommands(program: Command, act: Act): void {
  program
    .command('evaluate <model>')
    .description("a model's scores, each beside its plain baseline")
    .option('--dataset <ref>', 'loss, perplexity and bits per byte on a text dataset')
    .option('--classify <ref>', 'accuracy, F1 and confusion matrix on a labelled dataset')
    .option('--instructions <ref>', 'exact match and loss on an instruction dataset')
    .option('--task <file...>', 'JSONL of {context, continuation} or {query, choices, gold} rows')
    .option('--limit <n>', 'rows of each task; 0: all', toNumber, 0)
    .addOption(
      new Option('--split <split>', 'which part of the datasets').choices(Object.keys(splits)).default('validation'),
    )
    .option('--block-size <n>', "tokens of a window; 0: the model's context", toNumber, 0)
    .option('--max-tokens <n>', 'stop after so many tokens; 0: all', toNumber, 0)
    .option('--prompt <text...>', 'samples to look at')
    .option('--max-new-tokens <n>', 'length of samples and answers', toNumber, 64)
    .option('--seed <n>', 'seed of the samples', toNumber, 1)
    .addHelpText(
      'after',
      '\nExamples:\n  strata evaluate small --dataset docs\n  strata evaluate spam --classify sms --split test\n  strata evaluate smollm2-135m-instruct --task lambada_openai.jsonl --limit 500',
    )
    .action(
      act(async (context, model: string, flags: Flags) => {
        const evaluation = await evaluate(context, { model: parseRef(model), tasks: await toTasks(context, flags) });
        context.output.result(evaluation, showEvaluation);
      }),
    );
}
