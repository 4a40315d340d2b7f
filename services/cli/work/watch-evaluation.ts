// Starts an evaluation and follows it to its end: used by `strata evaluate` and by the demo.
import { randomUUID } from 'node:crypto';
import { formatRef } from '#lib/contracts/format-ref.ts';
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import {
  type DeepPartial,
  type Evaluation,
  EvaluationPhase,
  type EvaluationTask,
} from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import { AppError } from '#lib/platform/errors.ts';
import type { Context } from '../context.ts';
import { ensureEngine } from './fetch-from-catalogue.ts';

export interface EvaluateOptions {
  model: ArtifactRef;
  tasks: DeepPartial<EvaluationTask>[];
  requestId?: string;
}

/** @throws {AppError} FAILED_PRECONDITION with the evaluator's reason when the evaluation failed */
export async function evaluate(
  context: Context,
  { model, tasks, requestId = randomUUID() }: EvaluateOptions,
): Promise<Evaluation> {
  await ensureEngine(context);
  const { evaluator } = await context.services();
  const { evaluation: created } = await evaluator.createEvaluation({ requestId, model, tasks });
  if (!created) throw new AppError('INTERNAL', 'the evaluator returned no evaluation: try again');
  const bar = context.output.progress(`evaluate ${formatRef(model)}`);
  let last = created;
  for await (const { evaluation } of evaluator.watchEvaluation(
    { evaluationId: created.id },
    { signal: context.signal },
  )) {
    if (!evaluation) continue;
    last = evaluation;
    bar.update(evaluation.progress);
  }
  bar.done();
  if (last.phase === EvaluationPhase.EVALUATION_PHASE_SUCCEEDED) return last;
  throw new AppError('FAILED_PRECONDITION', `evaluation ${last.id} failed: ${last.error}`);
}
