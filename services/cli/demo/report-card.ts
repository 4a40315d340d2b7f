// The demo's report card: what was made of what, every score beside its baseline.
import { formatRef } from '#lib/contracts/format-ref.ts';
import { confusionOf, curveOf, samplesOf, scoresOf } from '../report/collect.ts';
import type { Report } from '../report/report.ts';
import { demoSeed, type Recipe } from './recipe.ts';
import type { DemoResult } from './run-demo.ts';

export interface ReportCardOptions {
  recipe: Recipe;
  result: DemoResult;
  codeSha256: string;
  codeVersion: string;
  date: Date;
}

export function toReportCard({ recipe, result, codeSha256, codeVersion, date }: ReportCardOptions): Report {
  const { evaluations, answers } = result;
  const baseLoss = scoresOf(evaluations.base).find((score) => score.metric === 'loss');
  const confusion = confusionOf(evaluations.classifier);
  return {
    title: recipe.title,
    summary: recipe.summary,
    date: date.toISOString(),
    stages: result.stages,
    scores: [evaluations.base, evaluations.classifier, evaluations.assistant].flatMap(scoresOf),
    curves: [
      curveOf('Pretraining', result.pretraining, baseLoss?.baselines),
      curveOf('Classifier finetune', result.classifier),
      curveOf('Assistant finetune', result.assistant),
    ],
    samples: [
      ...samplesOf('base model goes on', evaluations.base),
      ...answers.classified.map(({ text, label, probability }) => ({
        title: 'classified through the inference service',
        prompt: text,
        text: `\n→ ${label} (${(probability * 100).toFixed(1)} %)`,
        reference: '',
      })),
      {
        title: 'assistant, through the inference service',
        prompt: `${answers.chat.question}\n`,
        text: answers.chat.text,
        reference: '',
      },
      ...samplesOf('assistant on held-out instructions', evaluations.assistant).slice(0, 5),
    ],
    ...(confusion && { confusion }),
    provenance: {
      seed: String(demoSeed),
      code: `${codeVersion}, sha256 ${codeSha256}`,
      tokenizer: `sha256 ${result.tokenizerSha256}`,
      ...Object.fromEntries(
        result.datasets.map(({ title, ref, sha256 }) => [`dataset: ${title}`, `${formatRef(ref)}, sha256 ${sha256}`]),
      ),
      'base model': formatRef(result.pretraining.run.model),
      classifier: formatRef(result.pipelineRun.candidate),
      assistant: formatRef(result.assistant.run.model),
      noise: 'one seed: scores of another seed differ; the README says how much',
    },
  };
}
