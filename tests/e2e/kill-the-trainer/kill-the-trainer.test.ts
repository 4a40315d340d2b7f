// The trainer's pod dies without a warning, twice: the run goes on from its last checkpoint, and its losses are those of a run that was left alone.
import { expect, test } from '@jest/globals';
import type { MetricPoint, Run } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { exec } from '../frame/exec.ts';
import { cluster } from '../frame/places.ts';
import { killPod, type Pod } from '../support/pods.ts';
import { jobsOf, podsOf, startRun, untilRun, untilSucceeded } from '../support/runs.ts';
import { useServices } from '../support/services.ts';

const services = useServices();
const steps = 1200;

const start = (device: string) =>
  startRun(services, 'e2e-killed', { maxSteps: steps, checkpointEvery: 100, evalEvery: 400 }, device);

async function curveOf(runId: string): Promise<MetricPoint[]> {
  const points: MetricPoint[] = [];
  for await (const { event } of services.trainer.watchRun({ runId })) {
    if (event?.$case === 'metrics') points.push(event.value);
  }
  return points;
}

const alive = async (runId: string): Promise<Pod> => {
  const pod = (await podsOf(runId)).find(({ status }) => status.phase === 'Running');
  if (!pod) throw new Error(`run ${runId} has no running pod`);
  return pod;
};

/** SIGKILL to the process itself, from outside its container: what an out-of-memory killer does. */
async function killProcess(runId: string): Promise<void> {
  const { metadata } = await alive(runId);
  const ofPod = `grep -ls HOSTNAME=${metadata.name} /proc/[0-9]*/environ`;
  const kill = `for file in $(${ofPod}); do pid=\${file#/proc/}; pid=\${pid%/environ}; grep -q pause /proc/$pid/comm || kill -9 $pid; done`;
  await exec('docker', ['exec', cluster.gpuNode, 'sh', '-c', kill]);
}

const deletePod = async (runId: string): Promise<unknown> => killPod((await alive(runId)).metadata.name);

test('killed twice, it resumes past step 0 each time and ends as if nothing had been', async () => {
  const undisturbed = await start('cpu'); // beside the GPU pool, at the same time
  const id = await start('gpu');
  let run = await untilRun(services, id, 'attempt 1', ({ attempts }) => attempts > 0);
  for (const die of [killProcess, deletePod]) {
    const { attempts, checkpointStep } = run; // as the attempt begins
    const isFurther = (now: Run) => now.attempts === attempts && now.checkpointStep > checkpointStep;
    await untilRun(services, id, `a checkpoint of attempt ${attempts}`, isFurther);
    await die(id);
    run = await untilRun(services, id, `attempt ${attempts + 1}`, (now) => now.attempts > attempts);
  }
  const ended = await untilSucceeded(services, id, 240_000);
  expect(ended.restarts.map(({ fromStep }) => fromStep > 0)).toEqual([true, true]);
  expect(await jobsOf(id)).toHaveLength(3);

  const curve = await curveOf(id);
  expect(curve.map(({ step }) => step)).toEqual(Array.from({ length: steps }, (_, index) => index + 1));
  await untilSucceeded(services, undisturbed, 240_000);
  const lossesOf = (points: MetricPoint[]) => points.map(({ loss }) => loss);
  expect(lossesOf(curve)).toEqual(lossesOf(await curveOf(undisturbed)));
}, 600_000);
