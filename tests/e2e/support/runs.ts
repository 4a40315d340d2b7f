// Training runs of a model so small that its steps take milliseconds, on the cluster: what they need, and waiting for them.
import { randomUUID } from 'node:crypto';
import type { Hyperparameters, Run } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { Phase } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import type { Services } from '../../../services/cli/connect.ts';
import type { TrainingServices } from '../../support/services.ts';
import { prepareTiny, type TinyData, tinyRequest } from '../../support/tiny-run.ts';
import { type KubeObject, list } from './kubectl.ts';
import type { Pod } from './pods.ts';
import { waitFor } from './wait-for.ts';

/** Sums as text, and a tokenizer of their characters; made once, whatever asks. */
export const tinyData = (services: Services): Promise<TinyData> => prepareTiny(services as unknown as TrainingServices);

/** Always a new one; `device` is the name of a resource profile. */
export async function startRun(
  services: Services,
  name: string,
  hyperparameters: Partial<Hyperparameters>,
  device = 'gpu',
): Promise<string> {
  const { spec, ...request } = tinyRequest(name, await tinyData(services), hyperparameters);
  const { run } = await services.trainer.createRun({
    ...request,
    requestId: randomUUID(),
    spec: { ...spec, device },
  });
  return run?.id ?? '';
}

export async function untilRun(
  services: Services,
  runId: string,
  what: string,
  isSo: (run: Run) => boolean,
  timeoutMs = 120_000,
): Promise<Run> {
  const look = async () => (await services.trainer.getRun({ runId })).run;
  const run = await waitFor(what, look, (seen) => seen !== undefined && (isSo(seen) || isOver(seen)), { timeoutMs });
  if (!run || !isSo(run)) throw new Error(`the run ended before ${what}: ${JSON.stringify(run)}`);
  return run;
}

const isOver = ({ phase }: Run): boolean => phase > Phase.PHASE_RUNNING;

export const untilSucceeded = (services: Services, runId: string, timeoutMs?: number): Promise<Run> =>
  untilRun(services, runId, 'its success', ({ phase }) => phase === Phase.PHASE_SUCCEEDED, timeoutMs);

export interface Job extends KubeObject {
  spec: {
    template: {
      spec: { containers: { resources?: { limits?: Record<string, string> } }[]; tolerations?: { key?: string }[] };
    };
  };
  status: { succeeded?: number; failed?: number; active?: number };
}

/** The Jobs of a run, one an attempt: their names begin with the run's. */
export const jobsOf = async (runId: string): Promise<Job[]> =>
  (await list<Job>('jobs')).filter(({ metadata }) => metadata.name.startsWith(`run-${runId}`));

/** The pods of a run's Jobs. */
export const podsOf = async (runId: string): Promise<Pod[]> =>
  (await list<Pod>('pods')).filter(({ metadata }) => metadata.name.startsWith(`run-${runId}`));
