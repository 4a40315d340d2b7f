// A run as CreateRun makes it.
import { createHash } from 'node:crypto';
import { CreateRunRequest } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { ResolvedSpec } from './resolve-spec.ts';
import type { Run } from './run.ts';

const requestSha256Of = (request: CreateRunRequest): string =>
  createHash('sha256').update(CreateRunRequest.encode(request).finish()).digest('hex');

/** Returns the run that a request_id already made. ALREADY_EXISTS where the two requests are not the same. */
export const forRequest = (run: Run, request: CreateRunRequest): Run => {
  if (run.requestSha256 === requestSha256Of(request)) return run;
  throw new AppError(
    'ALREADY_EXISTS',
    `request_id "${request.requestId}" has already made run ${run.id} (${run.name}) from another request`,
    {
      field: 'request_id',
    },
  );
};

export const newRun = (id: string, request: CreateRunRequest, { spec, inputs }: ResolvedSpec, now: Date): Run => ({
  id,
  requestSha256: requestSha256Of(request),
  name: request.name,
  labels: request.labels,
  spec: { ...spec, outputModel: spec.outputModel || request.name },
  inputs,
  createTime: now.toISOString(),
  startTime: '',
  endTime: '',
  state: { phase: 'pending' },
  attempts: 0,
  restarts: [],
  waitingFor: '',
  deaths: 0,
  checkpointStep: 0,
  parameters: 0,
  lastMetrics: null,
  workerError: '',
  announced: '',
});
