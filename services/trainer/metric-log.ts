// A run's metrics, one entry a step: a step that is trained again after a restart replaces its entry, so no point is ever there twice.
import type { MetricPoint } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { keys } from '#lib/contracts/keys.ts';
import type { KeyValue } from '#lib/platform/key-value.ts';

export interface MetricLog {
  write(runId: string, points: readonly MetricPoint[]): Promise<void>;
  /** By step. */
  list(runId: string, afterStep?: number): Promise<MetricPoint[]>;
  /** What is there, then what comes. */
  watch(runId: string, signal: AbortSignal): AsyncIterable<MetricPoint>;
}

export const createMetricLog = (state: KeyValue): MetricLog => ({
  write: async (runId, points) => {
    for (const point of points) await state.put(keys.metric(runId, point.step), point);
  },
  list: async (runId, afterStep = 0) => {
    const entries = await state.list<MetricPoint>(keys.metrics(runId));
    return entries.map(({ value }) => value).filter(({ step }) => step > afterStep);
  },
  async *watch(runId, signal) {
    for await (const change of state.watch<MetricPoint>(keys.metrics(runId), { signal })) {
      if (change.kind === 'put') yield change.value;
    }
  },
});

/** Long runs keep every n-th step: about five thousand points tell their curve as well. A function of the length alone, so that a resumed run keeps the same ones. */
export const logEvery = (maxSteps: number): number => Math.ceil(maxSteps / 5000);
