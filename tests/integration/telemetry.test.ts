// What a life of labels leaves behind, with every service as a process of its own: one trace, from the file that came to the model that serves,
// and the numbers that docs/observability.md promises.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { InferenceServiceDefinition } from '#lib/contracts/gen/strata/inference/v1/inference.ts';
import {
  OrchestratorServiceDefinition,
  PipelinePhase,
  type PipelineRun,
} from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { Objective } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { WeightLoaderServiceDefinition } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { freePorts } from '#lib/platform/free-ports.ts';
import { connect } from '#lib/platform/grpc-client.ts';
import { noTracing, type OpenSpan } from '#lib/platform/telemetry/tracing.ts';
import { readMetricsTable } from '../support/metrics-table.ts';
import { type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.ts';
import { type Processes, startProcesses } from '../support/processes.ts';
import { importModel } from '../support/serving.ts';
import { tinyModel } from '../support/tiny-models.ts';
import { until } from '../support/until.ts';

jest.setTimeout(180_000);

const home = mkdtempSync(join(tmpdir(), 'strata-telemetry-'));
const names = [
  'data-sampler',
  'weight-loader',
  'trainer',
  'evaluator',
  'inference',
  'orchestrator',
  'gateway',
] as const;
let receiver: Awaited<ReturnType<typeof startOtlpReceiver>>;
let services: Processes;
let edgePort: number;
let pipelineRun: PipelineRun;
/** Of the trace that AddLabels began. */
let spans: ReceivedSpan[];

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  [edgePort = 0] = await freePorts(1);
  services = await startProcesses(names, {
    STRATA_HOME: home,
    STRATA_OTLP_ENDPOINT: receiver.endpoint,
    STRATA_DRAIN_MS: '200',
    STRATA_ORCHESTRATOR_TICK_MS: '200',
    STRATA_GATEWAY_HOLD_MS: '1000',
    STRATA_GATEWAY_GRPC_PORT: String(edgePort),
  });
  pipelineRun = await labelsToServedModel();
  spans = await untilWhole(() => receiver.spans.filter(({ traceId }) => traceId === firstSpan()?.traceId));
});
afterAll(async () => {
  await services?.[Symbol.asyncDispose]();
  await receiver?.[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const labels = ['digits', 'letters'];
const rows = Array.from({ length: 60 }, (_, i) =>
  i % 2 ? { text: `${i} and ${i + 1}`, label: 'digits' } : { text: 'the river is wide', label: 'letters' },
).map((row, i) => JSON.stringify({ ...row, text: `${row.text} ${'again '.repeat(i % 7)}` }));

/** A base, a classifier in service, and labels for a better one. */
async function labelsToServedModel(): Promise<PipelineRun> {
  const weightLoader = connect(WeightLoaderServiceDefinition, services.addressOf('weight-loader'));
  const inference = connect(InferenceServiceDefinition, services.addressOf('inference'));
  const orchestrator = connect(OrchestratorServiceDefinition, services.addressOf('orchestrator'));
  const registry = { weightLoader: weightLoader.client };
  const base = await importModel(registry, 'base', tinyModel('gpt2').files);
  await importModel(registry, 'parity', tinyModel('gpt2', { labels }).files, { promoteTo: 'production' });
  await inference.client.classify({ model: { name: 'parity', version: 'production' }, texts: ['1 and 2'] });
  await orchestrator.client.applyPipeline({
    pipeline: {
      task: 'parity',
      base: base.ref,
      objective: Objective.OBJECTIVE_CLASSIFY,
      hyperparameters: { maxSteps: 4, batchSize: 8, blockSize: 32, learningRate: 1e-3, checkpointEvery: 2 },
      gate: { metric: 'accuracy', minImprovement: -1 },
      batching: { minExamples: 1, maxWaitSeconds: 60, debounceSeconds: 0.1 },
    },
  });
  await orchestrator.client.addLabels(parts());
  const ended = await untilEnded(orchestrator.client);
  await Promise.all([weightLoader, inference, orchestrator].map((connection) => connection.close()));
  return ended;
}

async function* parts() {
  const file = { filename: 'rows.jsonl', sizeBytes: 0, sha256: '' };
  yield { part: { $case: 'header' as const, value: { task: 'parity', file } } };
  yield { part: { $case: 'chunk' as const, value: Buffer.from(rows.join('\n')) } };
}

async function untilEnded(client: ReturnType<typeof connect<typeof OrchestratorServiceDefinition>>['client']) {
  for (;;) {
    const { pipelineRuns } = await client.listPipelineRuns({ task: 'parity' });
    if (pipelineRuns[0]?.endTime) return pipelineRuns[0];
    await delay(100);
  }
}

const firstSpan = () => receiver.spans.find(({ name }) => name.endsWith('/AddLabels'));

/** Spans come when they end, from many processes: until none misses its parent, and the model was loaded anew. */
async function untilWhole(read: () => ReceivedSpan[]): Promise<ReceivedSpan[]> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(200)) {
    const known = read();
    if (orphans(known).length === 0 && known.some(({ name }) => name === 'load model')) return known;
  }
  throw new Error(`the trace stays broken: ${JSON.stringify(orphans(read()))}`);
}

function orphans(known: ReceivedSpan[]): ReceivedSpan[] {
  const ids = new Set(known.map(({ spanId }) => spanId));
  return known.filter(({ parentSpanId }) => parentSpanId && !ids.has(parentSpanId));
}

test('one trace leads from the dropped labels over both jobs to the model that serves, and every span has its cause in it', () => {
  expect(pipelineRun).toMatchObject({ phase: PipelinePhase.PIPELINE_PHASE_PROMOTED });
  expect(spans.filter(({ parentSpanId }) => !parentSpanId).map(({ name }) => name)).toEqual([
    'strata.orchestrator.v1.OrchestratorService/AddLabels',
  ]);
  const told = new Set(spans.map(({ service, name }) => `${service}: ${name.replace(/^strata\.\w+\.v1\.\w+\//, '')}`));
  for (const one of [
    'strata-orchestrator: publish strata.labels.added',
    'strata-orchestrator: process strata.labels.added',
    'strata-orchestrator: prepare dataset',
    'strata-data-sampler: CreateDataset',
    'strata-data-sampler: publish strata.dataset.committed',
    'strata-orchestrator: start training',
    'strata-trainer: CreateRun',
    'strata-trainer: start job',
    'strata-trainer-worker: trainer-worker',
    'strata-data-sampler: StreamBatches',
    'strata-trainer-worker: publish strata.checkpoint.saved',
    'strata-weight-loader: RegisterModel',
    'strata-weight-loader: publish strata.model.registered',
    'strata-trainer: publish strata.run.finished',
    'strata-orchestrator: process strata.run.finished',
    'strata-orchestrator: start evaluations',
    'strata-evaluator: CreateEvaluation',
    'strata-evaluator: start job',
    'strata-evaluator-worker: evaluator-worker',
    'strata-evaluator: publish strata.evaluation.completed',
    'strata-orchestrator: gate',
    'strata-weight-loader: PromoteModel',
    'strata-weight-loader: publish strata.model.promoted',
    'strata-inference: process strata.model.promoted',
    'strata-inference: load model',
  ])
    expect(told).toContain(one);
  // Six services, the training job and two evaluation jobs.
  expect(new Set(spans.map(({ pid }) => pid)).size).toBe(9);
  expect(spans.filter(({ status }) => status === 2)).toEqual([]);
});

test('spans say which run, evaluation and pipeline run they are of', () => {
  const attribute = (name: string, key: string) => spans.find((span) => span.name === name)?.attributes[key];
  expect(attribute('trainer-worker', 'strata.run.id')).toBe(pipelineRun.runId);
  expect(attribute('start job', 'strata.job.name')).toBeDefined();
  expect(attribute('gate', 'strata.pipeline_run.id')).toBe(pipelineRun.id);
  expect(
    spans.filter(({ name }) => name === 'evaluator-worker').map(({ attributes }) => attributes['strata.evaluation.id']),
  ).toContain(pipelineRun.evaluationId);
});

test('looking whether it is time begins no traces: nothing polls in them', () => {
  const polls = receiver.spans.filter(({ name }) => /\/(GetRun|GetEvaluation)$/.test(name));
  expect(polls.filter(({ parentSpanId }) => !parentSpanId)).toEqual([]);
  expect(polls.length).toBeLessThan(20);
});

test("log lines within the trace carry its id beside the run's", () => {
  const lines = services.processes.flatMap((process) => process.lines);
  const started = lines.find(({ msg, run }) => msg === 'worker started' && run === pipelineRun.runId);
  expect(started).toMatchObject({ service: 'trainer', trace_id: spans[0]?.traceId });
});

test("a question over HTTP goes on in the caller's trace, down to a generation by the GenAI conventions", async () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const answer = await fetch(`http://${services.addressOf('gateway')}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
    body: JSON.stringify({ model: 'base', prompt: 'The river', max_tokens: 5, stream: true }),
  });
  expect(await answer.text()).toContain('[DONE]');
  // The gateway's own span is the last to end.
  const mine = () => receiver.spans.filter((span) => span.traceId === traceId);
  while (!mine().some(({ service }) => service === 'strata-gateway')) await delay(100);
  while (!mine().some(({ name }) => name === 'text_completion base')) await delay(100);
  expect(mine().find(({ name }) => name === 'text_completion base')).toMatchObject({
    service: 'strata-inference',
    attributes: {
      'gen_ai.operation.name': 'text_completion',
      'gen_ai.request.model': 'base',
      'gen_ai.response.model': 'base@v1',
      'gen_ai.request.max_tokens': 5,
      'gen_ai.usage.output_tokens': 5,
      'gen_ai.response.finish_reasons': ['length'],
    },
  });
  expect(new Set(mine().map(({ service }) => service))).toEqual(
    new Set(['strata-gateway', 'strata-inference', 'strata-weight-loader']),
  );
});

test("a call through the gRPC edge goes on in the caller's trace, with the gateway in between", async () => {
  const traceId = '7bf92f3577b34da6a3ce929d0e0e4736';
  const traceparent = `00-${traceId}-10f067aa0ba902b7-01`;
  const caller: OpenSpan = { traceparent, run: (work) => work(), set: () => undefined, end: () => undefined };
  const tracing = { ...noTracing, isOn: true, begin: () => caller, traceparent: () => traceparent };
  const edge = connect(WeightLoaderServiceDefinition, `127.0.0.1:${edgePort}`, { tracing });
  await edge.client.listModels({});
  await edge.close();
  const find = (service: string) => receiver.spans.find((span) => span.traceId === traceId && span.service === service);
  await until(() => find('strata-gateway') !== undefined && find('strata-weight-loader') !== undefined);
  expect(find('strata-gateway')?.parentSpanId).toBe('10f067aa0ba902b7');
  expect(find('strata-weight-loader')?.parentSpanId).toBe(find('strata-gateway')?.spanId);
});

test('every metric of docs/observability.md is there, with its type and labels, and none that is not documented', async () => {
  const texts = await Promise.all(
    services.processes.map(async ({ metricsUrl }) => (await fetch(`${metricsUrl}/metrics`)).text()),
  );
  const text = texts.join('');
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]));
  const table = readMetricsTable();
  expect([...types].sort()).toEqual(table.map(({ name, type }) => [name, type]).sort());
  for (const [, series = '', list = ''] of text.matchAll(/^([a-z_]+)\{(.*)\} \S+$/gm)) {
    const metric = table.find(({ name }) => name === series.replace(/_(bucket|sum|count)$/, '') || name === series);
    const found = [...list.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)].map(([, label = '']) => label);
    const own = found.filter((label) => label !== 'service' && label !== 'le');
    expect([series, own]).toEqual([series, metric?.labels]);
  }
});

test('what happened is in the numbers', async () => {
  const text = async (name: string) => {
    const process = services.processes.find((one) => one.name === name);
    return (await fetch(`${process?.metricsUrl}/metrics`)).text();
  };
  expect(await text('orchestrator')).toContain(
    'strata_orchestrator_pipeline_runs_ended_total{service="orchestrator",task="parity",phase="promoted"} 1',
  );
  expect(await text('orchestrator')).toContain(
    'strata_events_handled_total{service="orchestrator",durable="orchestrator-labels",subject="strata.labels.added",result="OK"} 1',
  );
  expect(await text('orchestrator')).toContain(
    'strata_events_dead_letters{service="orchestrator",durable="orchestrator-ends"} 0',
  );
  expect(await text('trainer')).toContain('strata_trainer_runs{service="trainer",phase="succeeded"} 1');
  expect(await text('weight-loader')).toContain('{service="weight-loader",how="promote"} 1');
  expect(await text('inference')).toContain(
    'strata_inference_generation_tokens_total{service="inference",model="base"} 5',
  );
});
