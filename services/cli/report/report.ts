// The report card's content: what was made of what, every score beside its baseline, samples, hashes. markdown.ts and html.ts render it.

export interface ReportScore {
  task: string;
  metric: string;
  value: number;
  /** Baseline name -> value on the same data. */
  baselines: Record<string, number>;
  count: number;
  lowerIsBetter: boolean;
}

export interface CurvePoint {
  step: number;
  value: number;
}

export interface Curve {
  /** "pretraining", "classifier finetune", … */
  title: string;
  train: CurvePoint[];
  validation: CurvePoint[];
  /** Horizontal lines: a plain baseline's loss. */
  baselines: Record<string, number>;
}

export interface ReportSample {
  title: string;
  prompt: string;
  text: string;
  /** What was asked for, where it is known. */
  reference: string;
}

export interface ReportStage {
  title: string;
  detail: string;
  seconds: number;
}

export interface Report {
  title: string;
  summary: string;
  /** ISO 8601. */
  date: string;
  stages: ReportStage[];
  scores: ReportScore[];
  curves: Curve[];
  samples: ReportSample[];
  confusion?: { labels: string[]; counts: number[] };
  /** Names, versions and hashes of data, tokenizer, code, models; the seed. */
  provenance: Record<string, string>;
}

/** Whether the value is better than every baseline beside it. */
export const beatsBaselines = ({ value, baselines, lowerIsBetter }: ReportScore): boolean =>
  Object.values(baselines).every((baseline) => (lowerIsBetter ? value < baseline : value > baseline));

export const formatScore = (value: number): string => {
  if (!Number.isFinite(value)) return 'n/a';
  return Math.abs(value) >= 100 ? value.toFixed(1) : value.toFixed(4);
};

export const humanName = (name: string): string => name.replaceAll('_', ' ');
