// The whole life of a model through real services in one process, at a size that takes seconds: the same code as `strata demo`.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { PipelinePhase } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { loadConfig } from '../../services/cli/config.ts';
import { type Context, createContext } from '../../services/cli/context.ts';
import { prepareDocs } from '../../services/cli/demo/docs.ts';
import type { Recipe } from '../../services/cli/demo/recipe.ts';
import { toReportCard } from '../../services/cli/demo/report-card.ts';
import { type DemoResult, runDemo } from '../../services/cli/demo/run-demo.ts';
import { toHtml } from '../../services/cli/report/html.ts';
import { toMarkdown } from '../../services/cli/report/markdown.ts';
import { nowhere } from '../support/silent-output.ts';

const root = join(import.meta.dirname, '../..');
const home = mkdtempSync(join(tmpdir(), 'strata-lifecycle-'));
let context: Context;
let recipe: Recipe;
let result: DemoResult;

beforeAll(async () => {
  const config = loadConfig({ ...process.env, STRATA_HOME: home });
  const { signal } = new AbortController();
  context = createContext({ config, json: true, signal, stdout: nowhere(), stderr: nowhere() });
  const size = { maxBytesPerKind: 400_000, rowsPerLabel: 160, heldOutRows: 80, maxInstructions: 150 };
  const docs = await prepareDocs({ packages: join(root, 'node_modules'), folder: join(home, 'demo'), size });
  recipe = {
    ...docs,
    vocabSize: 512,
    pretraining: { nLayer: 2, nHead: 2, nEmbd: 32, blockSize: 128, batchSize: 8, maxSteps: 60 },
    classifier: { ...docs.classifier, maxSteps: 80, learningRate: 3e-3 },
    assistant: { ...docs.assistant, maxSteps: 10, maxRowTokens: 128 },
  };
  result = await runDemo(context, { recipe, inputsHash: 'first' });
}, 300_000);

afterAll(async () => {
  await context.close();
  rmSync(home, { recursive: true, force: true });
});

const scoresOf = (evaluation: DemoResult['evaluations']['base']) =>
  Object.fromEntries(evaluation.results.flatMap(({ scores }) => scores.map((score) => [score.metric, score])));

test('pretraining learns: the validation loss falls below that of a uniform guess', () => {
  const { loss } = scoresOf(result.evaluations.base);
  expect(loss?.value).toBeLessThan(loss?.baselines.uniform ?? 0);
  expect(Object.keys(loss?.baselines ?? {}).sort()).toEqual(['bigram', 'trigram', 'uniform', 'unigram']);
  expect(result.pretraining.metrics.at(-1)?.step).toBe(60);
});

test('dropped labels become one promoted classifier that is better than the majority class on held-out rows', async () => {
  expect(result.pipelineRun.phase).toBe(PipelinePhase.PIPELINE_PHASE_PROMOTED);
  const { accuracy } = scoresOf(result.evaluations.classifier);
  expect(accuracy?.value).toBeGreaterThan(accuracy?.baselines.majority_class ?? 1);
  expect(accuracy?.baselines.naive_bayes).toBeGreaterThan(0);
  const { pipelineRuns } = await (await context.services()).orchestrator.listPipelineRuns({
    task: recipe.classifier.task,
  });
  expect(pipelineRuns).toHaveLength(1);
});

test('every model answers through the inference service', () => {
  const { generated, classified, chat } = result.answers;
  expect(generated[0]?.text.length).toBeGreaterThan(0);
  expect(classified).toHaveLength(recipe.classifier.texts.length);
  expect(chat.question).toBe(recipe.question);
});

test('the same demo again repeats nothing', async () => {
  const again = await runDemo(context, { recipe, inputsHash: 'first' });
  expect(again.pretraining.run.id).toBe(result.pretraining.run.id);
  expect(again.pipelineRun.id).toBe(result.pipelineRun.id);
  expect(again.pretraining.metrics).toEqual(result.pretraining.metrics);
  const { runs } = await (await context.services()).trainer.listRuns({});
  expect(runs).toHaveLength(3);
});

test('the report card has every score, every curve and every hash', () => {
  const report = toReportCard({ recipe, result, codeSha256: 'c0de', codeVersion: '0', date: new Date(0) });
  expect(report.curves.map(({ train }) => train.length > 0)).toEqual([true, true, true]);
  const text = toMarkdown(report);
  for (const { sha256 } of result.datasets) expect(text).toContain(sha256);
  expect(text).toContain('perplexity');
  expect(toHtml(report)).not.toContain('NaN');
});
