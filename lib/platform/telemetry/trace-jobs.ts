// Every job runner, traced: a job that is started within a trace is told of it, and its process goes on in it.
import type { JobRunner } from '../job-runner.ts';
import type { ServiceTelemetry } from '../telemetry.ts';

export const traceJobs = (jobs: JobRunner, { tracing }: Pick<ServiceTelemetry, 'tracing'>): JobRunner => ({
  ...jobs,
  start(spec) {
    if (!tracing.traceparent()) return jobs.start(spec);
    const owners = Object.entries(spec.labels ?? {}).map(([what, id]) => [`strata.${what}.id`, id]);
    const attributes = { 'strata.job.name': spec.name, 'strata.job.entry': spec.entry, ...Object.fromEntries(owners) };
    return tracing.span('start job', { kind: 'producer', attributes }, () => {
      const TRACEPARENT = tracing.traceparent() ?? '';
      return jobs.start({ ...spec, env: { ...spec.env, TRACEPARENT } });
    });
  },
});
