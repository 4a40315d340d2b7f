// Scores of classifiers and of language models.

/** counts[true * classes + predicted] */
export interface Confusion {
  classes: number;
  counts: Float64Array;
}

export interface Judgement {
  label: number;
  predicted: number;
}

/** Throws RangeError for a class outside 0 … classes - 1. */
export function confusionOf(judgements: Iterable<Judgement>, classes: number): Confusion {
  const counts = new Float64Array(classes * classes);
  for (const { label, predicted } of judgements) {
    for (const index of [label, predicted]) {
      if (!(index >= 0 && index < classes)) throw new RangeError(`class ${index} is none of ${classes} classes`);
    }
    const cell = label * classes + predicted;
    counts[cell] = (counts[cell] as number) + 1;
  }
  return { classes, counts };
}

const sum = (values: Iterable<number>): number => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};

const cell = ({ counts, classes }: Confusion, label: number, predicted: number): number =>
  counts[label * classes + predicted] as number;

const indices = ({ classes }: Confusion): number[] => Array.from({ length: classes }, (_, index) => index);

export const countOf = (confusion: Confusion): number => sum(confusion.counts);

/** Share of right answers. NaN without rows. */
export const accuracyOf = (confusion: Confusion): number =>
  sum(indices(confusion).map((index) => cell(confusion, index, index))) / countOf(confusion);

/** Accuracy of always answering the class that is most frequent among the true ones. */
export const majorityAccuracyOf = (confusion: Confusion): number => {
  const perClass = indices(confusion).map((label) =>
    sum(indices(confusion).map((predicted) => cell(confusion, label, predicted))),
  );
  return Math.max(...perClass) / countOf(confusion);
};

/** Harmonic mean of precision and recall of one class; 0 where it is neither there nor predicted. */
export const f1Of = (confusion: Confusion, positive: number): number => {
  const hits = cell(confusion, positive, positive);
  const there = sum(indices(confusion).map((predicted) => cell(confusion, positive, predicted)));
  const said = sum(indices(confusion).map((label) => cell(confusion, label, positive)));
  return there + said === 0 ? 0 : (2 * hits) / (there + said);
};

/** Mean of the classes' F1, every class alike. */
export const macroF1Of = (confusion: Confusion): number =>
  sum(indices(confusion).map((index) => f1Of(confusion, index))) / confusion.classes;

/** Of a mean loss in nats per token. */
export const perplexityOf = (loss: number): number => Math.exp(loss);

/** Comparable between tokenizers: the loss in bits, spread over the text's UTF-8 bytes. */
export const bitsPerByteOf = (loss: number, { tokens, bytes }: { tokens: number; bytes: number }): number =>
  (loss / Math.LN2) * (tokens / bytes);
