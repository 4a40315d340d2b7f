// Follows a pipeline run to its end, with the progress bar of the training run inside it.
import { setTimeout as delay } from 'node:timers/promises';
import { PipelinePhase, type PipelineRun } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { Context } from '../context.ts';
import { watchRun } from './watch-run.ts';

const stages: PipelinePhase[] = [
  PipelinePhase.PIPELINE_PHASE_COLLECTING,
  PipelinePhase.PIPELINE_PHASE_PREPARING,
  PipelinePhase.PIPELINE_PHASE_TRAINING,
  PipelinePhase.PIPELINE_PHASE_EVALUATING,
];
const pollMs = 500;
const patienceMs = 120_000;

/**
 * The pipeline run that took up a labelled object; waits for it, since the event comes after the object.
 * @throws {AppError} DEADLINE_EXCEEDED after two minutes
 */
export async function findPipelineRun(context: Context, task: string, key: string): Promise<PipelineRun> {
  const { orchestrator } = await context.services();
  const giveUpAt = performance.now() + patienceMs;
  while (performance.now() < giveUpAt) {
    const { pipelineRuns } = await orchestrator.listPipelineRuns({ task }, { signal: context.signal });
    const found = pipelineRuns.find((run) => run.labels.some((object) => object.key === key));
    if (found) return found;
    await delay(pollMs, undefined, { signal: context.signal });
  }
  throw new AppError('DEADLINE_EXCEEDED', `no pipeline run took up ${key}: see \`strata pipeline runs ${task}\``);
}

/** Resolves with the ended pipeline run: promoted, refused, or failed (which its `reason` explains). */
export async function watchPipelineRun(context: Context, pipelineRunId: string): Promise<PipelineRun> {
  const { orchestrator } = await context.services();
  let last: PipelineRun | undefined;
  let watched = '';
  for await (const { pipelineRun } of orchestrator.watchPipelineRun({ pipelineRunId }, { signal: context.signal })) {
    if (!pipelineRun) continue;
    if (pipelineRun.phase !== last?.phase) context.output.note(`pipeline ${pipelineRun.task}: ${stageOf(pipelineRun)}`);
    last = pipelineRun;
    if (!pipelineRun.runId || pipelineRun.runId === watched) continue;
    watched = pipelineRun.runId;
    await watchRun(context, watched);
  }
  if (!last) throw new AppError('NOT_FOUND', `pipeline run ${pipelineRunId} is gone`);
  return last;
}

function stageOf({ phase }: PipelineRun): string {
  const index = stages.indexOf(phase);
  const name = pipelinePhaseName(phase);
  return index < 0 ? name : `${name} (${index + 1} of ${stages.length})`;
}

export const pipelinePhaseName = (phase: PipelinePhase): string =>
  Object.entries(PipelinePhase)
    .find(([, value]) => value === phase)?.[0]
    .replace('PIPELINE_PHASE_', '')
    .toLowerCase() ?? 'unknown';
