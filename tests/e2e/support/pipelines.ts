// Pipeline runs as the stories see them.
import type { PipelinePhase, PipelineRun } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import type { Services } from '../../../services/cli/connect.ts';
import { waitFor } from './wait-for.ts';

export const pipelineRuns = async (services: Services, task: string): Promise<PipelineRun[]> =>
  (await services.orchestrator.listPipelineRuns({ task })).pipelineRuns;

/** Waits until the newest of `count` runs has ended: it. */
export async function untilEnded(services: Services, task: string, count: number, timeoutMs = 180_000) {
  const runs = await waitFor(
    `the end of pipeline run ${count} of ${task}`,
    () => pipelineRuns(services, task),
    ([newest, ...earlier]) => newest !== undefined && earlier.length + 1 >= count && newest.endTime !== '',
    { timeoutMs },
  );
  return runs[0] as PipelineRun;
}

/** Waits for a phase of the newest run; a run that ends before is an error. */
export async function untilPhase(services: Services, task: string, phase: PipelinePhase, timeoutMs = 120_000) {
  const runs = await waitFor(
    `phase ${phase} of ${task}`,
    () => pipelineRuns(services, task),
    ([newest]) => newest !== undefined && newest.phase >= phase,
    { timeoutMs, everyMs: 100 },
  );
  if (runs[0]?.phase !== phase) throw new Error(`phase ${phase} was not seen: ${JSON.stringify(runs[0])}`);
  return runs[0];
}
