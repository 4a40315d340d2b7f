// Accuracy, F1 and the confusion matrix of a classifier, beside the majority class and a Naive Bayes that learnt from the same rows.
import type { ArtifactRef, Score } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import type { Classification } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import {
  accuracyOf,
  type Confusion,
  confusionOf,
  countOf,
  f1Of,
  type Judgement,
  macroF1Of,
  majorityAccuracyOf,
} from '#lib/data/metrics.ts';
import { trainNaiveBayes } from '#lib/data/naive-bayes.ts';
import { AppError } from '#lib/platform/errors.ts';
import { labelledBatches } from './dataset-batches.ts';
import type { TaskContext, TaskOutcome } from './task.ts';

interface Row {
  ids: Int32Array;
  /** Index into the model's own classes. */
  label: number;
}

const rowsPerBatch = 32;

export async function classification({ dataset, split }: Classification, context: TaskContext): Promise<TaskOutcome> {
  const { subject, scorer, trainedOn, report, signal } = context;
  const ref = dataset ?? { name: '', version: '' };
  const labels = [...(subject.config.labels ?? [])];
  const rows = await readRows(ref, split, context);
  const judgements: Judgement[] = [];
  for (let at = 0; at < rows.length; at += rowsPerBatch) {
    signal.throwIfAborted();
    const batch = rows.slice(at, at + rowsPerBatch);
    const probabilities = await scorer.classify(batch.map(({ ids }) => ids));
    judgements.push(...batch.map(({ label }, index) => ({ label, predicted: indexOfLargest(probabilities[index]) })));
    report(judgements.length, rows.length, 'rows');
  }
  const confusion = confusionOf(judgements, labels.length);
  const bayes = await naiveBayes(rows, [...trainedOn, ref], context);
  return {
    task: 'classification',
    dataset: ref,
    scores: scoresOf(confusion, bayes),
    confusion: { labels, counts: [...confusion.counts] },
  };
}

function scoresOf(confusion: Confusion, bayes: Confusion | undefined): Score[] {
  const score = (metric: string, of: (confusion: Confusion) => number, plain: Record<string, number> = {}): Score => ({
    metric,
    value: of(confusion),
    count: countOf(confusion),
    baselines: { ...plain, ...(bayes && { naive_bayes: of(bayes) }) },
    lowerIsBetter: false,
  });
  // With two classes F1 is that of the second one (spam), as is usual; with more the mean over classes.
  const f1 = confusion.classes === 2 ? (one: Confusion) => f1Of(one, 1) : macroF1Of;
  return [score('accuracy', accuracyOf, { majority_class: majorityAccuracyOf(confusion) }), score('f1', f1)];
}

async function readRows(dataset: ArtifactRef, split: Split, context: TaskContext): Promise<Row[]> {
  const { subject, dataSampler, signal } = context;
  const toOwn = await ownLabels(dataset, context);
  const columns = subject.config.contextSize;
  const rows: Row[] = [];
  for await (const batch of labelledBatches({ dataSampler, dataset, split, rows: rowsPerBatch, columns, signal })) {
    for (let row = 0; row < batch.rows; row++) {
      const start = row * columns;
      const ids = batch.ids.slice(start, start + (batch.lengths[row] ?? 0));
      rows.push({ ids, label: toOwn(batch.labels[row] ?? -1) });
    }
  }
  return rows;
}

/** Datasets number their labels on their own: by name they become the model's. */
async function ownLabels(
  dataset: ArtifactRef,
  { subject, dataSampler, signal }: TaskContext,
): Promise<(id: number) => number> {
  const { dataset: found } = await dataSampler.getDataset({ dataset }, { signal });
  const names = found?.labelNames ?? [];
  return (id) => {
    const name = names[id] ?? '';
    const own = subject.config.labels?.indexOf(name) ?? -1;
    if (own >= 0) return own;
    throw new AppError(
      'FAILED_PRECONDITION',
      `dataset ${dataset.name} has the label "${name}", which the model does not know`,
    );
  };
}

/** Learns from the first of the datasets that has training rows; undefined where none has. */
async function naiveBayes(rows: Row[], datasets: ArtifactRef[], context: TaskContext): Promise<Confusion | undefined> {
  const { subject, dataSampler, signal } = context;
  const { tokenizer, config } = subject;
  for (const dataset of datasets) {
    const { dataset: found } = await dataSampler.getDataset({ dataset }, { signal });
    if (!found?.labelNames.length || !found.splits.some((part) => part.split === Split.SPLIT_TRAIN && part.documents))
      continue;
    const toText = ({ ids, label }: Row) => ({ text: tokenizer.decode(ids), label });
    const training = await readRows(dataset, Split.SPLIT_TRAIN, context);
    const classes = config.labels?.length ?? 0;
    const model = trainNaiveBayes(training.map(toText), classes);
    const judge = (row: Row) => ({ label: row.label, predicted: model.classify(toText(row).text) });
    return confusionOf(rows.map(judge), classes);
  }
  return undefined;
}

const indexOfLargest = (values: Float32Array | undefined): number =>
  values ? values.indexOf(Math.max(...values)) : -1;
