// Loss, perplexity and bits per byte over a split, beside counting models that learnt from the training part of the same dataset.
import type { Score } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { type Dataset, Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import type { LanguageModelling } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import { ngramLosses } from '#lib/data/ngram.ts';
import type { TokenBatch } from '#lib/model/batches.ts';
import { AppError } from '#lib/platform/errors.ts';
import { type PassOptions, tokenBatches, tokensOf } from './dataset-batches.ts';
import type { TaskContext, TaskOutcome } from './task.ts';

/** Tokens of one program call: as many rows as fit. */
const tokensPerBatch = 2048;

export async function languageModelling(task: LanguageModelling, context: TaskContext): Promise<TaskOutcome> {
  const { subject, scorer, dataSampler, signal, report } = context;
  const ref = task.dataset ?? { name: '', version: '' };
  const { dataset } = await dataSampler.getDataset({ dataset: ref }, { signal });
  const statistics = dataset && splitOf(dataset, task.split);
  if (!statistics) throw new AppError('FAILED_PRECONDITION', `dataset ${ref.name} has nothing in this split`);
  const columns = task.blockSize || subject.config.contextSize;
  if (columns > subject.config.contextSize) {
    throw new AppError(
      'INVALID_ARGUMENT',
      `block_size: ${columns} is more than the model's context (${subject.config.contextSize})`,
    );
  }
  const rows = Math.max(1, Math.floor(tokensPerBatch / columns));
  const all: PassOptions = { dataSampler, dataset: ref, split: task.split, rows, columns, signal };
  const total = task.maxTokens ? Math.min(task.maxTokens, statistics.tokens) : statistics.tokens;

  const { loss, scored } = await scorer.measure(
    upTo(total, tokenBatches(all), (done) => report(done, total, 'tokens')),
  );
  const baselines = await baselineLosses(context, all, subject.config.vocabSize);
  const bytesPerToken = statistics.tokens ? statistics.bytes / statistics.tokens : Number.NaN;
  const toBits = (nats: number) => nats / Math.LN2 / bytesPerToken;
  const score = (metric: string, convert: (nats: number) => number): Score => ({
    metric,
    value: convert(loss),
    count: scored,
    baselines: Object.fromEntries(Object.entries(baselines).map(([name, nats]) => [name, convert(nats)])),
    lowerIsBetter: true,
  });
  return {
    task: 'language_modelling',
    dataset: ref,
    scores: [score('loss', (nats) => nats), score('perplexity', Math.exp), score('bits_per_byte', toBits)],
  };
}

const splitOf = (dataset: Dataset, split: Split) =>
  dataset.splits.find((part) => part.split === split && part.tokens > 0);

async function* upTo(
  total: number,
  batches: AsyncIterable<TokenBatch>,
  onTokens: (done: number) => void,
): AsyncGenerator<TokenBatch> {
  let done = 0;
  for await (const batch of batches) {
    yield batch;
    done += batch.mask ? batch.mask.reduce((sum, one) => sum + one, 0) : batch.ids.length;
    onTokens(Math.min(done, total));
    if (done >= total) return;
  }
}

/** Uniform always; unigram, bigram and trigram where the dataset has a training part. Nats per token of the same split. */
async function baselineLosses(
  { dataSampler }: TaskContext,
  pass: PassOptions,
  vocabSize: number,
): Promise<Record<string, number>> {
  const { dataset } = await dataSampler.getDataset({ dataset: pass.dataset }, { signal: pass.signal });
  if (!dataset || !splitOf(dataset, Split.SPLIT_TRAIN)) return { uniform: Math.log(vocabSize) };
  const losses = await ngramLosses({
    vocabSize,
    train: tokensOf({ ...pass, split: Split.SPLIT_TRAIN }),
    validation: tokensOf(pass),
  });
  return { ...losses };
}
