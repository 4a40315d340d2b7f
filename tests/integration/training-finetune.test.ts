// From a pretrained base to a classifier and to an assistant, through the services.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { DatasetKind } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { type MetricPoint, Objective, Phase, type Run } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { keys, objectKeys } from '#lib/contracts/keys.ts';
import { readerOfBytes } from '#lib/model/formats/byte-source.ts';
import { readSafetensors } from '#lib/model/formats/safetensors.ts';
import { makeCharTokenizer, makeDataset, upload } from '../support/prepare.ts';
import { startTrainingServices, type TrainingServices } from '../support/services.ts';
import {
  create,
  finish,
  prepareTiny,
  type TinyData,
  tinyArchitecture,
  tinyRequest,
  until,
} from '../support/tiny-run.ts';

jest.setTimeout(120_000);

let home: string;
let services: TrainingServices;
let data: TinyData;
let base: Run;
let rows: ArtifactRef;
let chats: ArtifactRef;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-finetune-'));
  services = await startTrainingServices(home);
  data = await prepareTiny(services);
  base = await finish(services, (await create(services, baseRequest())).id);
  expect(base).toMatchObject({ phase: Phase.PHASE_SUCCEEDED, error: '' });
  rows = await make('parity', DatasetKind.DATASET_KIND_LABELLED, 'rows.jsonl', labelledRows());
  chats = await make('echo', DatasetKind.DATASET_KIND_INSTRUCTIONS, 'chats.jsonl', instructionRows());
});
afterAll(async () => {
  await services.stop();
  await rm(home, { recursive: true });
});

/** As the tiny run, with a context that holds a chat. */
const baseRequest = () => {
  const request = tinyRequest('base', data, { maxSteps: 50 });
  const start = { $case: 'architecture' as const, value: { ...tinyArchitecture, blockSize: 64 } };
  return { ...request, spec: { ...request.spec, start } };
};

/** Sums of letters or of digits: easy to tell apart. */
const labelledRows = () =>
  Array.from({ length: 400 }, (_, i) =>
    i % 2 === 0
      ? { text: `${i}+${i + 1}`, label: 'digits' }
      : { text: [...String(i)].map((digit) => 'abcdefghij'.charAt(Number(digit))).join('+'), label: 'letters' },
  );

const instructionRows = () =>
  Array.from({ length: 300 }, (_, i) => ({ instruction: `${i}`, output: [...String(i)].join(' ') }));

const make = async (name: string, kind: DatasetKind, file: string, content: object[]): Promise<ArtifactRef> => {
  const object = await upload(services, file, content.map((row) => JSON.stringify(row)).join('\n'));
  const sources = [{ object, format: '', split: 0 as const }];
  const dataset = await makeDataset(services, { name, kind, sources, tokenizer: data.tokenizer, maxRowTokens: 64 });
  return dataset.ref as ArtifactRef;
};

const finetune = (name: string, dataset: ArtifactRef, more: object = {}) => {
  const request = tinyRequest(name, data, {
    maxSteps: 60,
    batchSize: 8,
    accumulationSteps: 1,
    blockSize: 16,
    learningRate: 1e-2,
    evalEvery: 20,
    evalBatches: 0,
    checkpointEvery: 20,
    ...more,
  });
  const start = { $case: 'base' as const, value: base.model as ArtifactRef };
  return { ...request, spec: { ...request.spec, start, mixture: [{ dataset, weight: 1 }] } };
};

const pointsOf = async ({ id }: Run): Promise<MetricPoint[]> =>
  (await services.platform.state.list<MetricPoint>(keys.metrics(id))).map(({ value }) => value);
const weightsAt = async (key: string) => readSafetensors(readerOfBytes(await services.platform.objects.get(key)));
const resultOf = ({ id }: Run) => weightsAt(`${objectKeys.runModel(id)}/model.safetensors`);
const versionOf = async ({ model }: Run) => (await services.weightLoader.getModel({ model })).version;

test('a classifier: a head for the labels, only the last layers trained, resumed to the same bits, right on what it has not seen', async () => {
  const asked = (name: string) => {
    const request = finetune(name, rows, { trainLastLayers: 1, keepBest: true });
    return { ...request, spec: { ...request.spec, objective: Objective.OBJECTIVE_CLASSIFY } };
  };
  const run = await finish(services, (await create(services, asked('classifier'))).id);
  expect(run).toMatchObject({ phase: Phase.PHASE_SUCCEEDED, error: '' });
  expect((await pointsOf(run)).at(-1)?.validationAccuracy).toBeGreaterThan(0.95);
  expect(await versionOf(run)).toMatchObject({
    labels: ['digits', 'letters'],
    lineage: { base: base.model, datasets: [rows] },
  });

  const [before, after] = [await resultOf(base), await resultOf(run)];
  expect(after.get('score.weight')?.shape).toEqual([2, 16]);
  expect(after.get('wte.weight')).toEqual(before.get('wte.weight'));
  expect(after.get('h.0.mlp.c_fc.weight')).toEqual(before.get('h.0.mlp.c_fc.weight'));
  expect(after.get('h.1.mlp.c_fc.weight')).not.toEqual(before.get('h.1.mlp.c_fc.weight'));
  const checkpoint = await weightsAt(`${objectKeys.checkpoint(run.id, 60)}/model.safetensors`);
  expect([...checkpoint.keys()].filter((name) => !/^(h\.1|ln_f|score)\./.test(name))).toEqual([]);

  const { id } = await create(services, asked('classifier-again'));
  await until(services, id, ({ checkpointStep }) => checkpointStep > 0);
  await services.trainer.cancelRun({ runId: id }).catch(() => undefined); // it may have been faster
  await services.trainer.resumeRun({ runId: id }).catch(() => undefined);
  expect(await resultOf(await finish(services, id))).toEqual(after);
});

test('an assistant: validation loss falls, and the result carries the chat template', async () => {
  const request = finetune('assistant', chats, { blockSize: 0 });
  const spec = { ...request.spec, objective: Objective.OBJECTIVE_INSTRUCT };
  const run = await finish(services, (await create(services, { ...request, spec })).id);
  expect(run).toMatchObject({ phase: Phase.PHASE_SUCCEEDED, error: '' });
  const losses = (await pointsOf(run)).flatMap(({ validationLoss }) => validationLoss ?? []);
  expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
  expect(await versionOf(run)).toMatchObject({ chat: true, labels: [] });
  const generation = await services.platform.objects.get(`${objectKeys.runModel(run.id)}/generation_config.json`);
  const { eos_token_id: stops } = JSON.parse(Buffer.from(generation).toString());
  expect(stops).toHaveLength(2);
});

test('rows whose answers lie behind the cut fail the run at its first evaluation, with what to do', async () => {
  const request = finetune('cut-off', chats, { blockSize: 16 });
  const spec = { ...request.spec, objective: Objective.OBJECTIVE_INSTRUCT };
  const run = await finish(services, (await create(services, { ...request, spec })).id);
  expect(run).toMatchObject({ phase: Phase.PHASE_FAILED, attempts: 1 });
  expect(run.error).toMatch(/^no token in ten steps in a row carries loss within block_size 16: .* larger block_size/);
});

test('a dataset of another kind, or of another tokenizer than the base, is refused by its field', async () => {
  const refusal = async (request: object): Promise<unknown> =>
    services.trainer.createRun({ ...request, requestId: '' }).catch(({ code, message }) => [code, message]);
  expect(await refusal(finetune('refused', rows))).toEqual([
    'INVALID_ARGUMENT',
    'spec.mixture[0].dataset: parity@v1 does not hold documents, which this objective learns from',
  ]);
  const source = await upload(services, 'other.txt', 'abc '.repeat(200));
  const tokenizer = await makeCharTokenizer(services, { name: 'other-characters', sources: [source] });
  const sources = [{ object: source, format: 'text', split: 0 as const }];
  const other = await makeDataset(services, { name: 'other', sources, tokenizer });
  expect(await refusal(finetune('refused', other.ref as ArtifactRef))).toEqual([
    'INVALID_ARGUMENT',
    expect.stringMatching(
      /^spec.mixture\[0\].dataset: other@v1 is encoded by tokenizer other-characters@v1, not by the one of base@v1/,
    ),
  ]);
});
