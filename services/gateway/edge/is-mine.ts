// Whose a run, an evaluation or a pipeline run is: asked of the service that has it.
import type { EvaluatorServiceClient } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import type { OrchestratorServiceClient } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import type { TrainerServiceClient } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { hasCode } from '#lib/platform/errors.ts';
import type { Sees, Thing } from './rule.ts';
import type { IsMine } from './tenancy.ts';

export interface Owners {
  trainer: Pick<TrainerServiceClient, 'getRun'>;
  evaluator: Pick<EvaluatorServiceClient, 'getEvaluation'>;
  orchestrator: Pick<OrchestratorServiceClient, 'getPipelineRun'>;
}

export function createIsMine({ trainer, evaluator, orchestrator }: Owners): IsMine {
  const ask = {
    run: async (id, sees, signal) => {
      const { run } = await trainer.getRun({ runId: id }, { signal });
      return run !== undefined && sees.run(run);
    },
    evaluation: async (id, sees, signal) => {
      const { evaluation } = await evaluator.getEvaluation({ evaluationId: id }, { signal });
      return evaluation !== undefined && sees.evaluation(evaluation);
    },
    'pipeline run': async (id, sees, signal) => {
      const { pipelineRun } = await orchestrator.getPipelineRun({ pipelineRunId: id }, { signal });
      return sees.own(pipelineRun?.task);
    },
  } satisfies Record<Thing['kind'], (id: string, sees: Sees, signal: AbortSignal) => Promise<boolean>>;
  return ({ kind, id }, sees, signal) =>
    ask[kind](id, sees, signal).catch((error) => {
      if (hasCode(error, 'NOT_FOUND', 'INVALID_ARGUMENT')) return false;
      throw error;
    });
}
