// The trainer's RPCs: check, store, and let the supervisor do the rest.
import type {
  CreateRunRequest,
  RunSpec,
  TrainerServiceImplementation,
} from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { refuse } from '#lib/platform/check.ts';
import { idOfRequest } from '#lib/platform/ids.ts';
import type { Tracing } from '#lib/platform/telemetry/tracing.ts';
import { checkRequest } from './check-spec.ts';
import type { MetricLog } from './metric-log.ts';
import { forRequest, newRun } from './new-run.ts';
import { type Catalogues, resolveSpec } from './resolve-spec.ts';
import { cancelRun, isOver, type Run, resumeRun } from './run.ts';
import type { RunStore } from './run-store.ts';
import { toRunMessage } from './to-message.ts';
import { watchRun } from './watch-run.ts';

export interface TrainerDependencies extends Catalogues {
  runs: RunStore;
  metrics: MetricLog;
  tracing: Tracing;
  /** How long CancelRun waits for the worker's last checkpoint before it answers with the run as it then is. */
  cancelPatienceMs?: number;
}

export const createTrainerService = (dependencies: TrainerDependencies): TrainerServiceImplementation => {
  const { runs, metrics, tracing, cancelPatienceMs = 20_000 } = dependencies;

  const createRun = async (request: CreateRunRequest, signal: AbortSignal): Promise<Run> => {
    const id = idOfRequest('run', request.requestId);
    const known = await runs.find(id);
    if (known) return forRequest(known, request);
    refuse(checkRequest(request));
    const resolved = await resolveSpec(request.spec as RunSpec, dependencies, signal);
    const run = { ...newRun(id, request, resolved, new Date()), traceparent: tracing.traceparent() };
    return forRequest(await runs.create(run), request);
  };

  /** The run once it is over, or as it is when patience or the caller's signal ends. */
  const untilOver = async (run: Run, signal: AbortSignal): Promise<Run> => {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(cancelPatienceMs)]);
    let latest = run;
    for await (latest of runs.watch(run.id, patience)) if (isOver(latest)) break;
    return latest;
  };

  return {
    createRun: async (request, { signal }) => ({ run: toRunMessage(await createRun(request, signal)) }),

    getRun: async ({ runId }) => ({ run: toRunMessage(await runs.get(runId)) }),

    listRuns: async ({ labels }) => {
      const wanted = Object.entries(labels);
      const matching = (await runs.list()).filter((run) => wanted.every(([key, value]) => run.labels[key] === value));
      return { runs: matching.map(toRunMessage) };
    },

    async *watchRun({ runId, afterStep }, { signal }) {
      await runs.get(runId);
      for await (const event of watchRun({ runId, afterStep, runs, metrics, signal })) {
        if (event.kind === 'metrics') yield { event: { $case: 'metrics', value: event.point } };
        else yield { event: { $case: 'run', value: toRunMessage(event.run) } };
      }
    },

    cancelRun: async ({ runId }, { signal }) => {
      await runs.get(runId);
      const cancelling = await runs.update(runId, (run) => cancelRun(run, new Date()));
      return { run: toRunMessage(await untilOver(cancelling, signal)) };
    },

    resumeRun: async ({ runId }) => {
      await runs.get(runId);
      return { run: toRunMessage(await runs.update(runId, (run) => resumeRun(run, new Date()))) };
    },
  };
};
