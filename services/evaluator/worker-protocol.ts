// What the service and an evaluation's worker agree on.
import { variableOf } from '#lib/platform/settings.ts';

export const workerEntry = 'services/evaluator/worker/main.ts';

export const jobNameOf = (evaluationId: string, attempt: number): string => `evaluation-${evaluationId}-${attempt}`;

export const workVariables = { evaluationId: 'STRATA_EVALUATION_ID' } as const;

export const addressVariables = {
  dataSampler: variableOf('data-sampler', 'ADDRESS'),
  weightLoader: variableOf('weight-loader', 'ADDRESS'),
};

/** A worker that was asked to stop, or whom a service failed that was away (EX_TEMPFAIL of sysexits.h): worth another one. */
export const interruptedExitCode = 75;
