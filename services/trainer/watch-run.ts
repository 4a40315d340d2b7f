// What a watcher of a run sees: its kept metrics, then live ones, every change of phase, and the run itself at the end.
import type { MetricPoint } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { merge } from './merge.ts';
import type { MetricLog } from './metric-log.ts';
import { isOver, type Run } from './run.ts';
import type { RunStore } from './run-store.ts';

export type RunEvent = { kind: 'metrics'; point: MetricPoint } | { kind: 'run'; run: Run };

export interface WatchRunOptions {
  runId: string;
  afterStep: number;
  runs: RunStore;
  metrics: MetricLog;
  /** Ends the watch quietly. */
  signal: AbortSignal;
}

/** Steps only ever grow: what a restarted worker trains again is not shown again. */
export async function* watchRun({
  runId,
  afterStep,
  runs,
  metrics,
  signal,
}: WatchRunOptions): AsyncGenerator<RunEvent> {
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  let lastStep = afterStep;
  let lastPhase = '';
  const isNews = (event: RunEvent): boolean =>
    event.kind === 'metrics' ? event.point.step > lastStep : event.run.state.phase !== lastPhase;
  try {
    for await (const event of merge([toPoints(metrics.watch(runId, both)), toRuns(runs.watch(runId, both))])) {
      if (!isNews(event)) continue;
      if (event.kind === 'metrics') lastStep = event.point.step;
      else lastPhase = event.run.state.phase;
      if (event.kind === 'run' && isOver(event.run)) {
        // The worker writes its last metrics before it ends the run, but the two watches are not in step.
        yield* toPoints(await metrics.list(runId, lastStep));
        yield event;
        return;
      }
      yield event;
    }
  } finally {
    ended.abort();
  }
}

async function* toPoints(points: AsyncIterable<MetricPoint> | MetricPoint[]): AsyncGenerator<RunEvent> {
  for await (const point of points) yield { kind: 'metrics', point };
}

async function* toRuns(runs: AsyncIterable<Run>): AsyncGenerator<RunEvent> {
  for await (const run of runs) yield { kind: 'run', run };
}
