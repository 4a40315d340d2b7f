// What a supervisor and a worker agree on: the job's name and program, what it is told, and what its exit code means.
import { variableOf } from '#lib/platform/settings.ts';

export const workerEntry = 'services/trainer/worker/main.ts';

/** The same attempt is the same job, however often it is started. */
export const jobNameOf = (runId: string, attempt: number): string => `run-${runId}-${attempt}`;

/** Variables that tell a worker what it works on. */
export const workVariables = { runId: 'STRATA_RUN_ID', attempt: 'STRATA_RUN_ATTEMPT' } as const;

/** … and whom it talks to; the platform's own come as for every job. */
export const addressVariables = {
  dataSampler: variableOf('data-sampler', 'ADDRESS'),
  weightLoader: variableOf('weight-loader', 'ADDRESS'),
};

export const exitCodes = {
  /** The run is over, or another worker has it: nothing to do. */
  done: 0,
  /** Gave up for a reason that may pass (stored as the run's workerError): worth another worker. */
  gaveUp: 1,
  /** Asked to stop, saved a checkpoint (EX_TEMPFAIL of sysexits.h): go on from there whenever there is room again. */
  interrupted: 75,
} as const;
