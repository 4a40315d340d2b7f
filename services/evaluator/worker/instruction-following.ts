// Greedy answers to held-out instructions: exact match, and the loss on the right answers. The most frequent answer of the training part is the baseline.
import type { ArtifactRef, Score } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import type { InstructionFollowing, Sample } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import { tokenBatches } from './dataset-batches.ts';
import type { TaskContext, TaskOutcome } from './task.ts';
import { createWriter } from './writer.ts';

interface Exchange {
  /** Everything before the last answer, the opening of the assistant's turn included. */
  prompt: Int32Array;
  /** The answer, its end token included. */
  answer: Int32Array;
}

const rowsPerBatch = 8;
const defaultLimit = 50;
const defaultMaxNewTokens = 128;
const shownSamples = 10;

export async function instructionFollowing(task: InstructionFollowing, context: TaskContext): Promise<TaskOutcome> {
  const { subject, scorer, report, signal } = context;
  const { tokenizer } = subject;
  const dataset = task.dataset ?? { name: '', version: '' };
  const wanted = task.limit || defaultLimit;
  const exchanges = (await readExchanges(dataset, task.split, context)).slice(0, wanted);
  using writer = createWriter(subject);
  const samples: Sample[] = [];
  let exact = 0;
  for (const { prompt, answer } of exchanges) {
    const text = await writer.write(prompt, {
      maxTokens: task.maxNewTokens || defaultMaxNewTokens,
      temperature: 0,
      signal,
    });
    const reference = tokenizer.decode(answer, { skipSpecialTokens: true });
    exact += Number(text.trim() === reference.trim());
    samples.push({ prompt: tokenizer.decode(prompt, { skipSpecialTokens: true }), text, reference });
    report(samples.length, exchanges.length, 'answers');
  }
  const { loss, scored } = await scorer.measure(passOver(dataset, task.split, context));
  const guess = await mostFrequentAnswer(dataset, context);
  const score = (metric: string, value: number, rest: Pick<Score, 'count' | 'baselines' | 'lowerIsBetter'>): Score => ({
    metric,
    value,
    ...rest,
  });
  const plain = {
    most_frequent_answer: samples.filter(({ reference }) => reference === guess).length / samples.length,
  };
  return {
    task: 'instruction_following',
    dataset,
    samples: samples.slice(0, shownSamples),
    scores: [
      score('loss', loss, {
        count: scored,
        baselines: { uniform: Math.log(subject.config.vocabSize) },
        lowerIsBetter: true,
      }),
      score('exact_match', exact / samples.length, { count: samples.length, baselines: plain, lowerIsBetter: false }),
    ],
  };
}

const passOver = (dataset: ArtifactRef, split: Split, { subject, dataSampler, signal }: TaskContext) =>
  tokenBatches({ dataSampler, dataset, split, rows: rowsPerBatch, columns: subject.config.contextSize, signal });

/** The last answer of each row: it begins after the last target that carries no loss and ends with the last one that does. */
async function readExchanges(dataset: ArtifactRef, split: Split, context: TaskContext): Promise<Exchange[]> {
  const exchanges: Exchange[] = [];
  for await (const { rows, columns, ids, targets, mask } of passOver(dataset, split, context)) {
    for (let row = 0; row < rows; row++) {
      const start = row * columns;
      const carriesLoss = (at: number) => (mask ? mask[start + at] === 1 : true);
      let end = columns - 1;
      while (end >= 0 && !carriesLoss(end)) end--;
      let begin = end;
      while (begin > 0 && carriesLoss(begin - 1)) begin--;
      if (end < 0) continue;
      exchanges.push({
        prompt: ids.slice(start, start + begin + 1),
        answer: targets.slice(start + begin, start + end + 1),
      });
    }
  }
  return exchanges;
}

async function mostFrequentAnswer(dataset: ArtifactRef, context: TaskContext): Promise<string> {
  const { tokenizer } = context.subject;
  const counts = new Map<string, number>();
  for (const { answer } of await readExchanges(dataset, Split.SPLIT_TRAIN, context)) {
    const text = tokenizer.decode(answer, { skipSpecialTokens: true });
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const [best] = [...counts].sort((a, b) => b[1] - a[1]);
  return best?.[0] ?? '';
}
