// What is wrong with a request, a file or a disk, and what is said of it. One table; the rest of it stands where its service is tested:
//
//   an empty dataset, binary garbage, invalid UTF-8, only bad rows     services/data-sampler/service.test.ts, lib/data/parse.test.ts
//   a truncated or bit-flipped shard                                   services/data-sampler/service.test.ts, lib/data/shards.test.ts
//   a truncated or bit-flipped checkpoint                              training-death.test.ts, services/trainer/worker/checkpoints.test.ts
//   a truncated, altered or wrong model file, upload or manifest       services/weight-loader/service.test.ts, lib/platform/manifest.test.ts
//   a bit-flipped model in service                                     serving-life.test.ts
//   a bad tokenizer training, chat or text                             services/tokenizer/service.test.ts
//   a bad run                                                          training-run.test.ts, training-finetune.test.ts
//   all of inference's fields, over HTTP with their OpenAI names       gateway.test.ts
//   a port in use, a wrong configuration, a second process             service-life.test.ts, up.test.ts
//   a full disk while a run trains                                     training-disk.test.ts
//   kill -9                                                            sudden-death.test.ts, training-death.test.ts, up.test.ts
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { DatasetKind, Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { EvaluationPhase, type EvaluationTask } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import type { SamplingParameters } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import { PipelinePhase } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { Objective, Phase } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { createCharTrainer } from '#lib/text/train-char.ts';
import type { Services } from '../../services/cli/connect.ts';
import { startEverything } from '../support/everything.ts';
import { makeDataset, upload } from '../support/prepare.ts';
import { importModel } from '../support/serving.ts';
import { fillUp, mountSmallDisk, testOnSmallDisk, unmountSmallDisks } from '../support/small-disk.ts';
import { type TinyOptions, tinyModel } from '../support/tiny-models.ts';

jest.setTimeout(180_000);

const folders: string[] = [];
const newHome = async (): Promise<string> => {
  const home = await mkdtemp(join(tmpdir(), 'strata-bad-input-'));
  folders.push(home);
  return home;
};

let home: string;
let services: Services;
const settings = {
  STRATA_INFERENCE_THREADS: '1',
  STRATA_ORCHESTRATOR_TICK_MS: '100',
  STRATA_ORCHESTRATOR_INBOX_POLL_MS: '100',
};
const boats = { name: 'boats', version: '' };

/** Letters and spaces only; no chat template. */
function letters() {
  const trainer = createCharTrainer({ specialTokens: ['<|endoftext|>'] });
  trainer.add('abcdefghijklmnopqrstuvwxyz ');
  return trainer.finish();
}
const lines = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n');
const story = lines(400, (i) => `Boat ${i} waits where the river bends for the ${i}th time.`);

beforeAll(async () => {
  home = await newHome();
  services = await startEverything(home, settings);
  const models: Record<string, TinyOptions> = {
    boats: { contextSize: 64 },
    topics: { contextSize: 64, labels: ['boat', 'rain'] },
    letters: { contextSize: 64, tokenizer: letters() },
  };
  for (const [name, options] of Object.entries(models))
    await importModel(services, name, tinyModel('gpt2', options).files);
});
afterAll(async () => {
  await services.close();
  unmountSmallDisks();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

const generate = (name: string, text: string, sampling: Partial<SamplingParameters> = {}) =>
  first(services.inference.generate({ model: { name }, prompt: { $case: 'text', value: text }, sampling }));
const generateIds = (value: Buffer) =>
  first(services.inference.generate({ model: boats, prompt: { $case: 'ids', value } }));
const chat = (name: string, role: string) =>
  first(services.inference.chat({ model: { name }, messages: [{ role, content: 'a boat' }] }));
async function first<T>(stream: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of stream) return item;
  return undefined;
}
const classify = (name: string, ...texts: string[]) => services.inference.classify({ model: { name }, texts });
const score = (context: string, continuation: string) =>
  services.inference.score({ model: boats, items: [{ context, continuation }] });

type Task = NonNullable<EvaluationTask['task']>;
const evaluation = (model: string, ...tasks: Task[]) =>
  services.evaluator.createEvaluation({ model: { name: model }, tasks: tasks.map((task) => ({ task })) });
const measure = (dataset: string): Task => ({
  $case: 'languageModelling',
  value: { dataset: { name: dataset, version: '' }, split: Split.SPLIT_VALIDATION, blockSize: 0, maxTokens: 0 },
});
const classification = (dataset: string): Task => ({
  $case: 'classification',
  value: { dataset: { name: dataset, version: '' }, split: Split.SPLIT_VALIDATION },
});
const pipeline = (more: object) =>
  services.orchestrator.applyPipeline({
    pipeline: { task: 'topics', base: boats, objective: Objective.OBJECTIVE_CLASSIFY, ...more },
  });

test.each<[what: string, code: string, message: RegExp, how: () => Promise<unknown>]>([
  // inference
  ['no model', 'INVALID_ARGUMENT', /^model: is required/, () => generate('', 'a')],
  ['an unknown model', 'NOT_FOUND', /model "ships" does not exist/, () => generate('ships', 'a')],
  [
    'an unknown version',
    'NOT_FOUND',
    /"boats@v9" does not exist/,
    () => services.inference.score({ model: { name: 'boats', version: 'v9' } }),
  ],
  [
    'a classifier to write',
    'INVALID_ARGUMENT',
    /^model: "topics" is a classifier \(boat, rain\)/,
    () => generate('topics', 'a'),
  ],
  [
    'a language model to classify',
    'INVALID_ARGUMENT',
    /^model: "boats" is a language model/,
    () => classify('boats', 'a'),
  ],
  ['no prompt', 'INVALID_ARGUMENT', /^prompt: is required/, () => first(services.inference.generate({ model: boats }))],
  ['an empty prompt', 'INVALID_ARGUMENT', /^text: must have at least one token/, () => generate('boats', '')],
  [
    'a prompt longer than the context',
    'INVALID_ARGUMENT',
    /^text: the prompt has \d+ tokens, the model's context is 64, .*shorten it/,
    () => generate('boats', 'a '.repeat(99)),
  ],
  [
    'ids that are cut off',
    'INVALID_ARGUMENT',
    /^ids: must be int32 values, little-endian/,
    () => generateIds(Buffer.alloc(7)),
  ],
  [
    'an id that is none',
    'INVALID_ARGUMENT',
    /^ids: token id -1 is not in the vocabulary/,
    () => generateIds(Buffer.alloc(4, 0xff)),
  ],
  [
    'a character that is none',
    'INVALID_ARGUMENT',
    /^text: character "ß" .* at position 2/,
    () => generate('letters', 'a ß'),
  ],
  [
    'max_tokens of 0',
    'INVALID_ARGUMENT',
    /^sampling.max_tokens: must be at least 1/,
    () => generate('boats', 'a', { maxTokens: 0 }),
  ],
  [
    'max_tokens of 10^9',
    'INVALID_ARGUMENT',
    /^sampling.max_tokens: must be at most the model's context of 64 tokens/,
    () => generate('boats', 'a', { maxTokens: 1e9 }),
  ],
  [
    'a temperature that is no number',
    'INVALID_ARGUMENT',
    /^sampling.temperature: .*NaN/,
    () => generate('boats', 'a', { temperature: Number.NaN }),
  ],
  [
    'several wrong fields',
    'INVALID_ARGUMENT',
    /^sampling.temperature: .*; sampling.top_p: .*; sampling.logprobs: /,
    () => generate('boats', 'a', { temperature: -1, topP: 2, logprobs: 21 }),
  ],
  [
    'a chat without messages',
    'INVALID_ARGUMENT',
    /^messages: at least one/,
    () => first(services.inference.chat({ model: boats })),
  ],
  [
    'a chat without a template',
    'INVALID_ARGUMENT',
    /^messages: this tokenizer has no chat template/,
    () => chat('letters', 'user'),
  ],
  [
    'a text without a token to classify',
    'INVALID_ARGUMENT',
    /^texts\[1\]: must have at least one token/,
    () => classify('topics', 'a', ''),
  ],
  [
    'nothing to score',
    'INVALID_ARGUMENT',
    /^items\[0\].continuation: must have at least one token/,
    () => score('a', ''),
  ],
  // evaluator
  [
    'an evaluation of an unknown model',
    'NOT_FOUND',
    /model "ships" does not exist/,
    () => evaluation('ships', measure('x')),
  ],
  ['an evaluation of nothing', 'INVALID_ARGUMENT', /^tasks: at least one is required/, () => evaluation('boats')],
  [
    'an evaluation on an unknown dataset',
    'INVALID_ARGUMENT',
    /^tasks\[0\].dataset: "none" does not exist/,
    () => evaluation('boats', measure('none')),
  ],
  [
    'a classification by a language model',
    'INVALID_ARGUMENT',
    /^tasks\[0\]: needs a classifier/,
    () => evaluation('boats', classification('x')),
  ],
  [
    'an unknown evaluation',
    'NOT_FOUND',
    /evaluation "none" does not exist/,
    () => services.evaluator.getEvaluation({ evaluationId: 'none' }),
  ],
  [
    'a pair without context',
    'INVALID_ARGUMENT',
    /^pairs\[0\].context: must have at least one token/,
    () => services.evaluator.score({ model: boats, pairs: [{ context: '', continuation: 'a' }] }),
  ],
  // orchestrator
  ['a pipeline without a base', 'INVALID_ARGUMENT', /^pipeline.base: /, () => pipeline({ base: undefined })],
  [
    'a pipeline with a gate that is none',
    'INVALID_ARGUMENT',
    /^pipeline.gate.metric: must be one of accuracy, f1; it is "beauty"/,
    () => pipeline({ gate: { metric: 'beauty' } }),
  ],
  [
    'an unknown task',
    'NOT_FOUND',
    /pipeline "none" does not exist/,
    () => services.orchestrator.triggerPipeline({ task: 'none' }),
  ],
  [
    'an unknown task to delete',
    'NOT_FOUND',
    /pipeline "none" does not exist/,
    () => services.orchestrator.deletePipeline({ task: 'none' }),
  ],
  ['labels for a task that is no name', 'INVALID_ARGUMENT', /^header.task: /, () => addLabels('No Name', 'a.csv', 'x')],
  [
    'an unknown pipeline run',
    'NOT_FOUND',
    /pipeline run "none" does not exist/,
    () => services.orchestrator.getPipelineRun({ pipelineRunId: 'none' }),
  ],
])('%s: %s', async (_, code, message, how) => {
  await expect(how()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

const addLabels = (task: string, filename: string, content: string | Uint8Array) =>
  services.orchestrator.addLabels(
    (async function* () {
      const file = { filename, sizeBytes: 0, sha256: '' };
      yield { part: { $case: 'header' as const, value: { task, file } } };
      yield { part: { $case: 'chunk' as const, value: Buffer.from(content) } };
    })(),
  );

/** The error that an evaluation of `boats` ends with. */
async function evaluationError(model: string, task: Task): Promise<string> {
  const { evaluation: created } = await evaluation(model, task);
  for await (const { evaluation: now } of services.evaluator.watchEvaluation({ evaluationId: created?.id ?? '' })) {
    if (now?.phase === EvaluationPhase.EVALUATION_PHASE_FAILED) return now.error;
    if (now?.phase === EvaluationPhase.EVALUATION_PHASE_SUCCEEDED) return 'none';
  }
  return 'it ended without a phase';
}

const likelihood = async (rows: string | Uint8Array): Promise<Task> => ({
  $case: 'likelihood',
  value: { name: 'rows', rows: await upload(services, 'rows.jsonl', rows), limit: 0 },
});
const pairs = (pair: object) => `${JSON.stringify(pair)}\n`;

async function flipBit(key: string, at = 100): Promise<void> {
  const path = join(home, 'objects', key);
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] as number) ^ 1;
  await writeFile(path, bytes);
}

/** A dataset with one bit of its shard of the split turned over. */
async function damagedDataset(name: string, split: 'train' | 'validation'): Promise<string> {
  const sources = [
    { object: await upload(services, 'story.txt', story), format: 'text', split: Split.SPLIT_UNSPECIFIED },
  ];
  const dataset = await makeDataset(services, { name, sources, tokenizer: { name: 'model:boats', version: '' } });
  await flipBit(`datasets/${name}/${dataset.ref?.version}/${split}-00000.bin`);
  return name;
}

async function runError(dataset: string): Promise<string> {
  const { run } = await services.trainer.createRun({
    name: dataset,
    spec: {
      objective: Objective.OBJECTIVE_PRETRAIN,
      start: { $case: 'base', value: boats },
      mixture: [{ dataset: { name: dataset }, weight: 1 }],
      hyperparameters: { maxSteps: 5, batchSize: 2, blockSize: 16 },
    },
  });
  for await (const { event } of services.trainer.watchRun({ runId: run?.id ?? '' })) {
    if (event?.$case === 'run' && event.value.phase === Phase.PHASE_FAILED) return event.value.error;
  }
  return 'none';
}

/** The reason that a pipeline over these labels ends with. */
async function pipelineReason(task: string, filename: string, content: string | Uint8Array): Promise<string> {
  await pipeline({ task, batching: { minExamples: 1, maxWaitSeconds: 1, debounceSeconds: 0 } });
  await addLabels(task, filename, content);
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
    const { pipelineRuns } = await services.orchestrator.listPipelineRuns({ task });
    const ended = pipelineRuns.find(({ phase }) => phase === PipelinePhase.PIPELINE_PHASE_FAILED);
    if (ended) return ended.reason;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return 'it did not end';
}

test.each<[what: string, reason: RegExp, how: () => Promise<string>]>([
  [
    'an evaluation on a bit-flipped shard',
    /datasets\/a\/v1\/validation-00000.bin is damaged/,
    async () => evaluationError('boats', measure(await damagedDataset('a', 'validation'))),
  ],
  [
    'a run on a bit-flipped shard',
    /datasets\/b\/v1\/train-00000.bin is damaged/,
    async () => runError(await damagedDataset('b', 'train')),
  ],
  [
    'likelihood rows that are none',
    /rows.jsonl, line 2: no JSON; a JSON object/,
    async () => evaluationError('boats', await likelihood(`${pairs({ context: 'a', continuation: 'b' })}{"context":`)),
  ],
  [
    'likelihood rows of binary garbage',
    /rows.jsonl is not UTF-8/,
    async () => evaluationError('boats', await likelihood(Buffer.from([0x7b, 0xff, 0xfe, 0x0a]))),
  ],
  ['no likelihood rows', /rows.jsonl has no rows/, async () => evaluationError('boats', await likelihood('\n\n'))],
  [
    'a likelihood row without context',
    /rows.jsonl, line 1: the context must have at least one token/,
    async () => evaluationError('boats', await likelihood(pairs({ context: ' ', continuation: 'b' }))),
  ],
  [
    'a character that the vocabulary lacks',
    /rows.jsonl, line 1: character "é"/,
    async () => evaluationError('letters', await likelihood(pairs({ context: 'caf', continuation: 'é' }))),
  ],
  [
    'labels of binary garbage',
    /labels.csv holds binary data/,
    () => pipelineReason('garbage', 'labels.csv', Buffer.from(Array.from({ length: 999 }, (_, i) => (i * i) % 251))),
  ],
  ['an empty file of labels', /there is nothing in them/, () => pipelineReason('nothing', 'labels.jsonl', '')],
  [
    'labels without a label',
    /keys|label/,
    () => pipelineReason('unlabelled', 'labels.jsonl', pairs({ text: 'a boat' })),
  ],
])('%s: it ends as failed, and says why', async (_, reason, how) => {
  expect(await how()).toMatch(reason);
});

test('a base model that is damaged ends run and evaluation, naming the file; the others go on', async () => {
  await importModel(services, 'damaged', tinyModel('gpt2', { contextSize: 64, seed: 2 }).files);
  await flipBit('models/damaged/v1/model.safetensors', 5000);
  const said = /models\/damaged\/v1\/model.safetensors is damaged/;
  const task: Task = { $case: 'samples', value: { prompts: ['a'], maxNewTokens: 2, temperature: 0, topK: 0, seed: 0 } };
  expect(await evaluationError('damaged', task)).toMatch(said);
  expect(await evaluationError('boats', task)).toBe('none');
  const score = { model: { name: 'damaged' }, pairs: [{ context: 'a', continuation: 'b' }] };
  await expect(services.evaluator.score(score)).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringMatching(said),
  });
});

testOnSmallDisk(
  'a full disk: each is refused, nothing half-made is seen, and the same request succeeds once there is room',
  async () => {
    const full = await newHome();
    const disk = mountSmallDisk(join(full, 'objects')) ?? '';
    const onDisk = await startEverything(full, settings);
    try {
      const { files } = tinyModel('gpt2', { contextSize: 64 });
      const source = await upload(onDisk, 'story.txt', story);
      await importModel(onDisk, 'boats', files);
      const sources = [{ object: source, format: 'text', split: Split.SPLIT_UNSPECIFIED }];
      const requests = {
        dataset: () =>
          makeDataset(onDisk, {
            name: 'story',
            sources,
            kind: DatasetKind.DATASET_KIND_TEXT,
            tokenizer: { name: 'model:boats', version: '' },
          }),
        model: () => importModel(onDisk, 'again', files, { requestId: 'again' }),
        upload: () => upload(onDisk, 'other.txt', `${story} and more`),
      };
      const filler = fillUp(disk);
      for (const request of Object.values(requests)) {
        await expect(request()).rejects.toMatchObject({
          code: 'RESOURCE_EXHAUSTED',
          message: expect.stringMatching(/no space left/i),
        });
      }
      expect((await onDisk.dataSampler.listDatasets({})).datasets).toEqual([]);
      expect((await onDisk.weightLoader.listModels({})).models.filter(({ versions }) => versions.length)).toHaveLength(
        1,
      );
      expect(
        await first(onDisk.inference.generate({ model: boats, prompt: { $case: 'text', value: 'a' } })),
      ).toBeDefined();
      filler.free();
      for (const request of Object.values(requests)) expect(await request()).toBeDefined();
    } finally {
      await onDisk.close();
    }
  },
);
