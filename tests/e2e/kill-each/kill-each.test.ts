// One pipeline run, from dropped labels to promoted model, in which NATS, MinIO, the orchestrator and the evaluator each die once, without a
// warning, in mid-work: nothing is lost, nothing is done twice.
import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { PipelinePhase } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { list } from '../support/kubectl.ts';
import { declarePipeline, goodRows, labelsFile } from '../support/labels.ts';
import { pipelineRuns, untilEnded, untilPhase } from '../support/pipelines.ts';
import { killPod, type Pod } from '../support/pods.ts';
import { untilRun } from '../support/runs.ts';
import { useServices } from '../support/services.ts';
import { waitFor } from '../support/wait-for.ts';

const services = useServices();
const task = `e2e-killed-${randomUUID().slice(0, 8)}`;
const steps = 1000;

const podsOfComponent = (component: string) => list<Pod>('pods', `app.kubernetes.io/component=${component}`);
const isReady = ({ status }: Pod): boolean =>
  status.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True') ?? false;

/** Kills every pod of it and waits for the next one. */
async function kill(component: string): Promise<void> {
  const victims = (await podsOfComponent(component)).map(({ metadata }) => metadata.name);
  if (!victims.length) throw new Error(`there is no pod of ${component}`);
  const uids = (await podsOfComponent(component)).map(({ metadata }) => metadata.uid);
  await Promise.all(victims.map(killPod));
  await waitFor(
    `${component} after its death`,
    () => podsOfComponent(component),
    (pods) => pods.some((pod) => isReady(pod) && !uids.includes(pod.metadata.uid)),
    { timeoutMs: 120_000 },
  );
}

test('each of them dies in mid-run: one run, one evaluation, one version, and it is served', async () => {
  await declarePipeline(services, task, steps);
  await services.orchestrator.addLabels(labelsFile(task, goodRows(400)));
  const { runId } = await waitFor(
    'the training run',
    async () => (await untilPhase(services, task, PipelinePhase.PIPELINE_PHASE_TRAINING)) ?? {},
    (seen) => Boolean(seen?.runId),
  );
  await untilRun(services, runId, 'its first checkpoint', ({ checkpointStep }) => checkpointStep > 0);
  await kill('nats');
  await kill('minio');
  await kill('orchestrator');
  await untilPhase(services, task, PipelinePhase.PIPELINE_PHASE_EVALUATING, 240_000);
  await kill('evaluator');
  const ended = await untilEnded(services, task, 1, 240_000);

  expect(ended).toMatchObject({ phase: PipelinePhase.PIPELINE_PHASE_PROMOTED, candidate: { version: 'v1' } });
  expect(await pipelineRuns(services, task)).toHaveLength(1);
  const { runs } = await services.trainer.listRuns({ labels: { pipeline_run: ended.id } });
  const { evaluations } = await services.evaluator.listEvaluations({ model: { name: task, version: 'v1' } });
  const { model } = await services.weightLoader.getModel({ model: { name: task, version: '' } });
  expect([runs, evaluations, model?.versions].map((each) => each?.length)).toEqual([1, 1, 1]);
  const seen: number[] = [];
  for await (const { event } of services.trainer.watchRun({ runId })) {
    if (event?.$case === 'metrics') seen.push(event.value.step);
  }
  expect(seen).toEqual(Array.from({ length: steps }, (_, index) => index + 1));
  const texts = ['9 a boat waits where the river bends'];
  const { classifications } = await services.inference.classify({ model: { name: task, version: '' }, texts });
  expect(classifications[0]?.label).toBe('boat');
}, 900_000);
