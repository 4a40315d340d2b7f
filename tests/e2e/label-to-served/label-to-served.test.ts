// Labelled data dropped into the inbox becomes a served model: one Job for two identical events, a poison event in the dead letters,
// a bad candidate refused, a wrong promotion rolled back.
import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import { PipelinePhase, type PipelineRun } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { cluster } from '../frame/places.ts';
import { badRows, declarePipeline, goodRows, labelsFile } from '../support/labels.ts';
import { pipelineRuns, untilEnded } from '../support/pipelines.ts';
import { evaluateIn } from '../support/pods.ts';
import { jobsOf, podsOf } from '../support/runs.ts';
import { useServices } from '../support/services.ts';
import { waitFor } from '../support/wait-for.ts';

const services = useServices();
const task = `e2e-topics-${randomUUID().slice(0, 8)}`;
let first: PipelineRun;

const classify = async () => {
  const texts = ['7 a boat waits where the river bends', '8 when the rain comes the people go home'];
  const { classifications, model } = await services.inference.classify({ model: { name: task, version: '' }, texts });
  return { labels: classifications.map(({ label }) => label), version: model?.version };
};

/** Publishes events on the bus, as a service does. */
const publish = (events: string) =>
  evaluateIn(
    'orchestrator',
    `import { readConfig } from '#lib/platform/config.ts';
     import { openPlatform } from '#lib/platform/platform.ts';
     import { platformSettings } from '#lib/platform/settings.ts';
     import { createEvent, subjects } from '#lib/contracts/events.ts';
     const platform = await openPlatform(readConfig(platformSettings, process.env));
     for (const event of ${events}) await platform.events.publish(event);
     await platform.close();
     console.log(JSON.stringify({ published: true }));
     process.exit(0);`,
  );

beforeAll(async () => {
  await declarePipeline(services, task);
  const { labels } = await services.orchestrator.addLabels(labelsFile(task, goodRows(200)));
  // The very event that the inbox makes of this file, twice more: once with its own id, once with another.
  const event = (id: string) =>
    `createEvent(subjects.labelsAdded, { id: ${JSON.stringify(id)}, source: 'e2e', data: { task: '${task}', object: ${JSON.stringify(labels)}, examples: 200 } })`;
  await publish(`[${event(`labels.added/${labels?.key}/${labels?.sha256}`)}, ${event(randomUUID())}]`);
  first = await untilEnded(services, task, 1);
}, 300_000);

test('the same labels, told three times, are one pipeline run with one Job, on the GPU pool', async () => {
  expect(first).toMatchObject({ phase: PipelinePhase.PIPELINE_PHASE_PROMOTED, candidate: { version: 'v1' } });
  expect(await pipelineRuns(services, task)).toHaveLength(1);
  expect(await jobsOf(first.runId)).toHaveLength(1);
  expect((await podsOf(first.runId)).map(({ spec }) => spec.nodeName)).toEqual([cluster.gpuNode]);
});

test('what was promoted is served, and has learned the topics', async () => {
  expect(await classify()).toEqual({ labels: ['boat', 'rain'], version: 'v1' });
}, 60_000);

test('a poison event goes to the dead letters with its reason', async () => {
  const id = `e2e-poison-${randomUUID()}`;
  await publish(
    `[{ ...createEvent(subjects.labelsAdded, { id: '${id}', source: 'e2e', data: { task: 'x', object: { key: 'k', sizeBytes: 0, sha256: '' }, examples: 0 } }), data: { nothing: 'of the catalogue' } }]`,
  );
  const letters = () =>
    evaluateIn<{ event: { id: string }; reason: string }[]>(
      'orchestrator',
      `import { readConfig } from '#lib/platform/config.ts';
       import { openPlatform } from '#lib/platform/platform.ts';
       import { platformSettings } from '#lib/platform/settings.ts';
       const platform = await openPlatform(readConfig(platformSettings, process.env));
       console.log(JSON.stringify(await platform.events.deadLetters({ limit: 100 })));
       process.exit(0);`,
    );
  const found = await waitFor('the dead letter', letters, (all) => all.some(({ event }) => event.id === id), {
    everyMs: 1000,
  });
  expect(found.find(({ event }) => event.id === id)?.reason).toMatch(/INVALID_ARGUMENT.*catalogue/);
}, 90_000);

test('a candidate that is no good is refused, and the version in service stays', async () => {
  await services.orchestrator.addLabels(labelsFile(task, badRows(400, 1000)));
  const refused = await untilEnded(services, task, 2);
  expect(refused).toMatchObject({ phase: PipelinePhase.PIPELINE_PHASE_REFUSED, candidate: { version: 'v2' } });
  expect(refused.reason).toMatch(/does not (reach the threshold 0.9|beat the baseline)/);
  expect((await classify()).version).toBe('v1');
}, 240_000);

test('promoted by hand all the same, it is served; rolled back, the one before is', async () => {
  const serves = (version: string) =>
    waitFor(`${version} in service`, classify, (seen) => seen.version === version, { timeoutMs: 30_000 });
  await services.weightLoader.promoteModel({ model: { name: task, version: 'v2' }, reason: 'a mistake' });
  await serves('v2');
  await services.weightLoader.rollbackModel({ name: task });
  expect((await serves('v1')).labels).toEqual(['boat', 'rain']);
}, 90_000);
