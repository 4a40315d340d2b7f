// A worker's claim on its run: every change it makes is refused once another attempt has the run, or the run is over.
import { isOver, type Run } from '../run.ts';
import type { RunStore } from '../run-store.ts';

/** The run is somebody else's by now; this worker has nothing more to do. */
export class SupersededError extends Error {
  override readonly name = 'SupersededError';
}

export interface Claim {
  /** The run as it is. */
  run(): Promise<Run>;
  update(change: (run: Run) => Run): Promise<Run>;
}

export const createClaim = (runs: RunStore, runId: string, attempt: number): Claim => {
  const checked = (run: Run): Run => {
    if (run.attempts === attempt && !isOver(run) && run.state.phase !== 'pending') return run;
    throw new SupersededError(
      `attempt ${attempt} at run ${runId} is not wanted any more: it is ${run.state.phase} at attempt ${run.attempts}`,
    );
  };
  return {
    run: async () => checked(await runs.get(runId)),
    update: (change) => runs.update(runId, (run) => change(checked(run))),
  };
};
