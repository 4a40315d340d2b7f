// Likelihood tasks. {context, continuation} rows: is every token of the continuation the greedy one, and how surprised is the model (as LAMBADA).
// {query, choices, gold} rows: is the right choice the likeliest, by its sum and by its sum per character (acc and acc_norm of lm-evaluation-harness).
import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import type { Score } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { LikelihoodTask } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import type { Continuation } from '#lib/model/continuations.ts';
import type { Scorer } from '#lib/model/scorer.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import { type Tokenizer, UnknownCharacterError } from '#lib/text/tokenizer.ts';
import type { TaskContext, TaskOutcome } from './task.ts';

const completionRow = z.object({ context: z.string().min(1), continuation: z.string().min(1) });
const choiceRow = z.object({
  query: z.string().min(1),
  choices: z.array(z.string().min(1)).min(2),
  gold: z.number().int().min(0),
});
type CompletionRow = z.output<typeof completionRow> & Located;
type ChoiceRow = z.output<typeof choiceRow> & Located;

interface Located {
  /** File and line, for whoever has to mend it. */
  where: string;
}

const pairsPerPiece = 25;

export async function likelihoodTask(
  { name, rows: object, limit }: LikelihoodTask,
  { subject, scorer, objects, report, signal }: TaskContext,
): Promise<TaskOutcome> {
  const rows = await readRows(objects, object?.key ?? '', limit);
  const score = scoreInPieces({ scorer, report, signal });
  const [first] = rows;
  const scores =
    first && 'choices' in first
      ? await choiceScores(rows as ChoiceRow[], subject.tokenizer, score)
      : await completionScores(rows as CompletionRow[], subject.tokenizer, score);
  return { task: name, scores };
}

async function readRows(objects: ObjectStore, key: string, limit: number): Promise<(CompletionRow | ChoiceRow)[]> {
  const bytes = await objects.get(key);
  if (!isUtf8(bytes)) throw new AppError('INVALID_ARGUMENT', `${key} is not UTF-8: convert it first`);
  const text = Buffer.from(bytes).toString('utf8');
  const lines = text.split('\n').filter((line) => line.trim());
  const wanted = limit > 0 ? lines.slice(0, limit) : lines;
  if (!wanted.length) throw new AppError('INVALID_ARGUMENT', `${key} has no rows`);
  const rows = wanted.map((line, index) => parseRow(line, `${key}, line ${index + 1}`));
  const isChoice = 'choices' in (rows[0] ?? {});
  const odd = rows.findIndex((row) => 'choices' in row !== isChoice);
  if (odd >= 0) throw new AppError('INVALID_ARGUMENT', `${key}, line ${odd + 1}: rows of both kinds in one file`);
  return rows;
}

function parseRow(line: string, where: string): CompletionRow | ChoiceRow {
  const expected = 'a JSON object {context, continuation} or {query, choices, gold}';
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new AppError('INVALID_ARGUMENT', `${where}: no JSON; ${expected} is expected`, { cause });
  }
  const parsed = z.union([completionRow, choiceRow]).safeParse(value);
  if (!parsed.success) throw new AppError('INVALID_ARGUMENT', `${where}: ${expected} is expected`);
  const row = parsed.data;
  if ('choices' in row && row.gold >= row.choices.length) {
    throw new AppError(
      'INVALID_ARGUMENT',
      `${where}: gold is ${row.gold}, but there are ${row.choices.length} choices`,
    );
  }
  return { ...row, where };
}

type ScoreAll = (pairs: Continuation[]) => ReturnType<Scorer['logLikelihoods']>;

const scoreInPieces =
  ({ scorer, report, signal }: Pick<TaskContext, 'scorer' | 'report' | 'signal'>): ScoreAll =>
  async (pairs) => {
    const likelihoods: Awaited<ReturnType<ScoreAll>> = [];
    // Pairs of like length run together, so pieces follow the order of length, and answers are put back.
    const order = pairs.map((_, index) => index).sort((a, b) => lengthOf(pairs[a]) - lengthOf(pairs[b]));
    for (let at = 0; at < order.length; at += pairsPerPiece) {
      signal.throwIfAborted();
      const piece = order.slice(at, at + pairsPerPiece);
      const scored = await scorer.logLikelihoods(piece.map((index) => pairs[index] as Continuation));
      for (const [i, index] of piece.entries()) likelihoods[index] = scored[i] as (typeof scored)[number];
      report(at + piece.length, order.length, 'texts');
    }
    return likelihoods;
  };

const lengthOf = (pair: Continuation | undefined): number =>
  pair ? pair.context.length + pair.continuation.length : 0;

/**
 * As lm-evaluation-harness does it: ` continuation` after the context, whose trailing spaces move over; the whole is encoded, and what the context
 * alone does not cover is the continuation.
 */
function toPair(tokenizer: Tokenizer, text: string, answer: string): Continuation {
  const context = tokenizer.encode(text.trimEnd());
  if (context.length === 0) throw new RangeError('the context must have at least one token');
  const whole = tokenizer.encode(`${text} ${answer}`);
  return { context: whole.subarray(0, context.length), continuation: whole.subarray(context.length) };
}

/** A row that has no pair is told by its line. */
function located<T>({ where }: Located, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof UnknownCharacterError || cause instanceof RangeError)) throw cause;
    throw new AppError('INVALID_ARGUMENT', `${where}: ${cause.message}`, { cause });
  }
}

async function completionScores(rows: CompletionRow[], tokenizer: Tokenizer, score: ScoreAll): Promise<Score[]> {
  const scored = await score(rows.map((row) => located(row, () => toPair(tokenizer, row.context, row.continuation))));
  const nats = scored.reduce((sum, { logLikelihood }) => sum - logLikelihood, 0) / rows.length;
  const correct = scored.filter(({ isGreedy }) => isGreedy).length;
  return [
    { metric: 'accuracy', value: correct / rows.length, count: rows.length, baselines: {}, lowerIsBetter: false },
    { metric: 'perplexity', value: Math.exp(nats), count: rows.length, baselines: {}, lowerIsBetter: true },
  ];
}

async function choiceScores(rows: ChoiceRow[], tokenizer: Tokenizer, score: ScoreAll): Promise<Score[]> {
  const scored = await score(
    rows.flatMap((row) => row.choices.map((choice) => located(row, () => toPair(tokenizer, row.query, choice)))),
  );
  const correct = { acc: 0, acc_norm: 0 };
  let next = 0;
  for (const { choices, gold } of rows) {
    const sums = choices.map(() => scored[next++]?.logLikelihood ?? Number.NEGATIVE_INFINITY);
    const norms = sums.map((sum, index) => sum / (choices[index]?.length ?? 1));
    correct.acc += Number(indexOfLargest(sums) === gold);
    correct.acc_norm += Number(indexOfLargest(norms) === gold);
  }
  const chance = rows.reduce((sum, { choices }) => sum + 1 / choices.length, 0) / rows.length;
  return (['acc', 'acc_norm'] as const).map((metric) => ({
    metric,
    value: correct[metric] / rows.length,
    count: rows.length,
    baselines: { chance },
    lowerIsBetter: false,
  }));
}

const indexOfLargest = (values: number[]): number => values.indexOf(Math.max(...values));
