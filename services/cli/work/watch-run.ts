// Follows a training run with a progress bar until it ends: used by `strata run create|watch` and by the demo.
import { type MetricPoint, Phase, type Run } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { Context } from '../context.ts';
import { formatCount } from '../output.ts';

/** `loss 2.31 · validation 2.40 · 12,300 tokens/s` */
export function describeMetrics(point: MetricPoint): string {
  const parts = [`loss ${point.loss.toFixed(3)}`];
  if (point.validationLoss !== undefined) parts.push(`validation ${point.validationLoss.toFixed(3)}`);
  if (point.validationAccuracy !== undefined) parts.push(`accuracy ${(point.validationAccuracy * 100).toFixed(1)} %`);
  if (point.tokensPerSecond) parts.push(`${formatCount(point.tokensPerSecond)} tokens/s`);
  return parts.join(' · ');
}

export interface WatchedRun {
  run: Run;
  metrics: MetricPoint[];
}

/**
 * Resolves with the ended run and its whole metric history.
 * @throws {AppError} ABORTED when the run was cancelled, FAILED_PRECONDITION when it failed
 */
export async function watchRun(context: Context, runId: string): Promise<WatchedRun> {
  const { trainer } = await context.services();
  const { run: first } = await trainer.getRun({ runId }, { signal: context.signal });
  const total = first?.spec?.hyperparameters?.maxSteps ?? 0;
  const bar = context.output.progress(`run ${first?.name ?? runId}`);
  const metrics: MetricPoint[] = [];
  let last = first;
  let validation: Partial<Pick<MetricPoint, 'validationLoss' | 'validationAccuracy'>> = {};
  for await (const { event } of trainer.watchRun({ runId, afterStep: 0 }, { signal: context.signal })) {
    if (event?.$case === 'run') last = event.value;
    if (event?.$case !== 'metrics') continue;
    metrics.push(event.value);
    const { validationLoss, validationAccuracy, step, remainingSeconds } = event.value;
    if (validationLoss !== undefined) validation = { validationLoss };
    if (validationLoss !== undefined && validationAccuracy !== undefined)
      validation = { validationLoss, validationAccuracy };
    const progress = { phase: '', done: step, total, unit: 'steps', remainingSeconds };
    bar.update(progress, describeMetrics({ ...event.value, ...validation }));
  }
  bar.done();
  if (!last) throw new AppError('NOT_FOUND', `run ${runId} is gone`);
  if (last.phase === Phase.PHASE_FAILED)
    throw new AppError('FAILED_PRECONDITION', `run ${runId} failed: ${last.error}`);
  if (last.phase === Phase.PHASE_CANCELLED) {
    throw new AppError('ABORTED', `run ${runId} was cancelled: go on with \`strata run resume ${runId}\``);
  }
  return { run: last, metrics };
}
