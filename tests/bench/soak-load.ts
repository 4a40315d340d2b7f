// What the soak keeps a set of services busy with: every kind of work, over and over, from many sides at once.
import { setTimeout as delay } from 'node:timers/promises';
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { DatasetKind, Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { PipelinePhase, type PipelineRun } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { Objective } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { isAbortError } from '#lib/platform/errors.ts';
import type { Services } from '../../services/cli/connect.ts';
import { makeCharTokenizer, makeDataset, upload } from '../support/prepare.ts';
import { tinyArchitecture } from '../support/tiny-run.ts';

const task = 'soak';
const trainingSteps = { batchSize: 4, learningRate: 3e-3, warmupSteps: 2, weightDecay: 0, gradClip: 1 };

/** A line that says whether a sum is even: `3+14 is odd`. */
const sum = (i: number): { text: string; label: string } => {
  const [a, b] = [(i * 7) % 50, (i * 13) % 31];
  return { text: `${a}+${b}`, label: (a + b) % 2 ? 'odd' : 'even' };
};
const sums = (from: number, count: number) => Array.from({ length: count }, (_, i) => sum(from + i));

/** A base model of seconds, in service, and a pipeline that finetunes it on every batch of labels. */
export async function prepare(services: Services): Promise<ArtifactRef> {
  const text = sums(0, 2000).map((each) => `${each.text} is ${each.label}`);
  const source = await upload(services, 'sums.txt', text.join('\n'));
  const alphabet = await upload(services, 'alphabet.txt', 'abcdefghijklmnopqrstuvwxyz 0123456789+=\n');
  const specialTokens = ['<|endoftext|>'];
  const tokenizer = await makeCharTokenizer(services, { name: 'sums', sources: [alphabet, source], specialTokens });
  const sources = [{ object: source, format: 'text', split: 0 as const }];
  await makeDataset(services, { name: 'sums', sources, tokenizer, contiguousSplit: true });
  const base = await pretrain(services, 'base', 30);
  await services.weightLoader.promoteModel({ model: base, reason: 'soak' });
  const pipeline = {
    task,
    base,
    objective: Objective.OBJECTIVE_CLASSIFY,
    hyperparameters: { ...trainingSteps, maxSteps: 5 },
    outputModel: task,
    alias: 'production',
    // Everything is promoted, so that models are loaded and unloaded all the time.
    gate: { metric: 'accuracy', minImprovement: -1 },
    batching: { minExamples: 1 },
  };
  await services.orchestrator.applyPipeline({ pipeline });
  return base;
}

async function pretrain({ trainer }: Services, requestId: string, maxSteps: number): Promise<ArtifactRef> {
  const spec = {
    objective: Objective.OBJECTIVE_PRETRAIN,
    start: { $case: 'architecture' as const, value: tinyArchitecture },
    mixture: [{ dataset: { name: 'sums' }, weight: 1 }],
    hyperparameters: { ...trainingSteps, maxSteps, checkpointEvery: 10, evalEvery: 10, evalBatches: 2 },
    outputModel: 'base',
  };
  const { run } = await trainer.createRun({ requestId, name: requestId, spec });
  for await (const { event } of trainer.watchRun({ runId: run?.id ?? '' })) {
    if (event?.$case === 'run' && event.value.model) return event.value.model;
  }
  throw new Error(`run ${requestId} made no model`);
}

/** New labels -> a finetuned model -> in service, and asked. Throws where it is not promoted. */
export async function labelsToModel(services: Services, round: number): Promise<void> {
  const { orchestrator, inference } = services;
  const content = Buffer.from(
    sums(round * 37, 60)
      .map((each) => JSON.stringify(each))
      .join('\n'),
  );
  const filename = `round-${round}.jsonl`;
  async function* parts() {
    const file = { filename, sizeBytes: content.length, sha256: '' };
    yield { part: { $case: 'header' as const, value: { task, file } } };
    yield { part: { $case: 'chunk' as const, value: content } };
  }
  const { labels } = await orchestrator.addLabels(parts());
  const id = await pipelineRunOf(services, labels?.key ?? '');
  let last: PipelineRun | undefined;
  for await (const { pipelineRun } of orchestrator.watchPipelineRun({ pipelineRunId: id })) last = pipelineRun;
  if (last?.phase !== PipelinePhase.PIPELINE_PHASE_PROMOTED) throw new Error(`not promoted: ${JSON.stringify(last)}`);
  await inference.classify({ model: { name: task, version: 'production' }, texts: ['3+4', '10+20'] });
}

async function pipelineRunOf({ orchestrator }: Services, key: string): Promise<string> {
  for (let i = 0; i < 200; i++, await delay(100)) {
    const { pipelineRuns } = await orchestrator.listPipelineRuns({ task });
    const found = pipelineRuns.find(({ labels }) => labels.some((label) => label.key === key));
    if (found) return found.id;
  }
  throw new Error(`no pipeline run took ${key}`);
}

/** One text, by stream; every third client leaves in the middle. */
export async function generate({ inference }: Services, base: ArtifactRef, round: number): Promise<void> {
  const leaving = new AbortController();
  const request = {
    model: base,
    prompt: { $case: 'text' as const, value: `${round % 50}+` },
    sampling: { maxTokens: 12, temperature: 1, seed: round },
  };
  try {
    let tokens = 0;
    for await (const _ of inference.generate(request, { signal: leaving.signal })) {
      tokens += 1;
      if (round % 3 === 0 && tokens === 3) leaving.abort();
    }
  } catch (error) {
    if (!isAbortError(error)) throw error;
  }
}

/** Text to ids and back. */
export async function tokenize({ tokenizer }: Services, round: number): Promise<void> {
  const ref = { name: 'sums', version: '' };
  const text = sums(round, 50)
    .map((each) => each.text)
    .join(' ');
  const { ids } = await tokenizer.encode({ tokenizer: ref, text });
  await tokenizer.decode({ tokenizer: ref, ids });
}

/** A new version of a small dataset, then an evaluation of the base model on the large one. */
export async function sampleAndEvaluate(services: Services, base: ArtifactRef, round: number): Promise<void> {
  const rows = sums(round, 200).map((each) => JSON.stringify(each));
  const object = await upload(services, `rows-${round}.jsonl`, rows.join('\n'));
  await makeDataset(services, {
    name: 'rows',
    requestId: `rows-${round}`,
    kind: DatasetKind.DATASET_KIND_LABELLED,
    sources: [{ object, format: 'jsonl', split: 0 as const }],
    tokenizer: { name: 'sums', version: '' },
  });
  const value = { dataset: { name: 'sums', version: '' }, split: Split.SPLIT_VALIDATION };
  const { evaluation } = await services.evaluator.createEvaluation({
    requestId: `evaluation-${round}`,
    model: base,
    tasks: [{ task: { $case: 'languageModelling', value } }],
  });
  for await (const _ of services.evaluator.watchEvaluation({ evaluationId: evaluation?.id ?? '' }));
}
