// A stored run as the contract's message.
import { Phase, Run as RunMessage } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import type { Run, Phase as RunPhase } from './run.ts';

const phases = {
  pending: Phase.PHASE_PENDING,
  running: Phase.PHASE_RUNNING,
  cancelling: Phase.PHASE_RUNNING,
  succeeded: Phase.PHASE_SUCCEEDED,
  failed: Phase.PHASE_FAILED,
  cancelled: Phase.PHASE_CANCELLED,
} satisfies Record<RunPhase, Phase>;

export const toRunMessage = ({ state, lastMetrics, ...run }: Run): RunMessage =>
  RunMessage.fromPartial({
    ...run,
    phase: phases[state.phase],
    progress: {
      phase: state.phase,
      done: lastMetrics?.step ?? 0,
      total: run.spec.hyperparameters?.maxSteps ?? 0,
      unit: 'steps',
      remainingSeconds: lastMetrics?.remainingSeconds ?? 0,
    },
    ...(lastMetrics && { lastMetrics }),
    ...(state.phase === 'failed' && { error: state.error }),
    ...(state.phase === 'succeeded' && { model: state.model }),
  });
