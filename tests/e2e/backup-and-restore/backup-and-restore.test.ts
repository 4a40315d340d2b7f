// A backup of the release is made while it works; then NATS and MinIO lose their volumes. After the restore a model generates the same text,
// aliases, runs and pipelines are there, and the run that was under way goes on past step 0.
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { Phase } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { folder } from '../frame/places.ts';
import { backupIn, loseVolumes, startServices, stopServices } from '../support/disaster.ts';
import { kubectl } from '../support/kubectl.ts';
import { declarePipeline } from '../support/labels.ts';
import { jobsOf, startRun, untilRun, untilSucceeded } from '../support/runs.ts';
import { useServices } from '../support/services.ts';
import { untilAnswered } from '../support/wait-for.ts';

const services = useServices();
const archive = join(folder, 'backup.tar');
afterAll(() => rm(archive, { force: true }));

const model = { name: 'e2e-kept', version: 'liked' };
const task = 'e2e-kept';
const interrupted = 'e2e-interrupted';
/** More than go by while the backup is made, each with its point of the curve (longer runs keep every second one). */
const steps = 5000;

async function text(): Promise<string> {
  let said = '';
  const prompt = { $case: 'text', value: '3+14=' } as const;
  const request = { model, prompt, sampling: { maxTokens: 12, temperature: 0 } };
  for await (const part of services.inference.generate(request)) said += part.text;
  return said;
}

const kept = async () => ({
  models: (await services.weightLoader.listModels({})).models.filter(({ name }) => name !== interrupted),
  runs: (await services.trainer.listRuns({})).runs.filter(({ name }) => name !== interrupted),
  datasets: (await services.dataSampler.listDatasets({})).datasets,
  tokenizers: (await services.tokenizer.listTokenizers({})).tokenizers,
  pipelines: (await services.orchestrator.listPipelines({})).pipelines,
  pipelineRuns: (await services.orchestrator.listPipelineRuns({ task: '' })).pipelineRuns,
  evaluations: (await services.evaluator.listEvaluations({})).evaluations,
});

test('after the loss of every volume all is as it was, and the interrupted run ends as if nothing had been', async () => {
  await untilSucceeded(services, await startRun(services, model.name, { maxSteps: 60 }));
  await services.weightLoader.promoteModel({ model: { name: model.name, version: 'v1' }, alias: model.version });
  await declarePipeline(services, task);
  const said = await text();
  const runId = await startRun(services, interrupted, { maxSteps: steps, accumulationSteps: 4, checkpointEvery: 250 });
  await untilRun(services, runId, 'its first checkpoint', ({ checkpointStep }) => checkpointStep > 0);

  const before = await kept();
  await backupIn('orchestrator', ['create', '-'], { outputFile: archive });
  expect((await stat(archive)).size).toBeGreaterThan(1_000_000);
  expect((await services.trainer.getRun({ runId })).run).toMatchObject({ phase: Phase.PHASE_RUNNING });

  const replicas = await stopServices('tokenizer');
  await loseVolumes();
  await backupIn('tokenizer', ['restore', '-'], { input: createReadStream(archive) });
  await startServices(replicas);

  expect(await untilAnswered('the services', kept)).toEqual(before);
  expect(await untilAnswered('inference', text)).toBe(said);
  await untilSucceeded(services, runId, 600_000);
  const [job] = await jobsOf(runId);
  expect(await kubectl(['logs', `job/${job?.metadata.name}`])).toContain('going on from a checkpoint');
  const seen: number[] = [];
  for await (const { event } of services.trainer.watchRun({ runId })) {
    if (event?.$case === 'metrics') seen.push(event.value.step);
  }
  expect(seen).toEqual(Array.from({ length: steps }, (_, index) => index + 1));
}, 900_000);
