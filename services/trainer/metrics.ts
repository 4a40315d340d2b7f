// What the trainer tells of its runs. Workers come and go, so their numbers are told here, out of what the runs keep; only of runs that are under way.
import type { MetricPoint } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { type Metrics, type Sample, shared } from '#lib/platform/telemetry/metrics.ts';
import { isOver, phases, type Run } from './run.ts';
import type { RunStore } from './run-store.ts';

export interface TrainerMetrics {
  /** A worker ended before its run, which waits for another one. */
  restarted(): void;
}

type OfRun = Sample<'run' | 'name'>;

export function createTrainerMetrics(metrics: Metrics, runs: Pick<RunStore, 'list'>): TrainerMetrics {
  const all = shared(() => runs.list());
  const restarts = metrics.counter('strata_trainer_restarts_total', {
    help: 'Workers that ended before their run and were, or will be, replaced.',
  });
  restarts.add({}, 0);
  metrics.observed('strata_trainer_runs', {
    help: 'Runs by phase.',
    labels: ['phase'],
    read: async () => {
      const known = await all();
      return phases.map((phase) => [{ phase }, known.filter(({ state }) => state.phase === phase).length] as const);
    },
  });

  const ofActive = (name: string, help: string, read: (run: Run) => number | undefined): void =>
    metrics.observed<'run' | 'name'>(name, {
      help,
      labels: ['run', 'name'],
      read: async () => (await all()).filter(isActive).flatMap((run) => toSample(run, read(run))),
    });
  const ofLastStep = (name: string, help: string, read: (point: MetricPoint) => number): void =>
    ofActive(name, help, ({ lastMetrics }) => (lastMetrics ? read(lastMetrics) : undefined));

  ofActive(
    'strata_trainer_run_step',
    'The last step that a running run has told of.',
    ({ lastMetrics }) => lastMetrics?.step ?? 0,
  );
  ofActive(
    'strata_trainer_run_steps',
    'How many steps a running run will have.',
    ({ spec }) => spec.hyperparameters?.maxSteps,
  );
  ofActive(
    'strata_trainer_run_restarts',
    'How often a running run was given a new worker.',
    ({ restarts: past }) => past.length,
  );
  ofActive(
    'strata_trainer_run_checkpoint_step',
    'The newest whole checkpoint.',
    ({ checkpointStep }) => checkpointStep,
  );
  ofLastStep('strata_trainer_run_loss', 'Training loss of the last step.', ({ loss }) => loss);
  ofLastStep('strata_trainer_run_gradient_norm', 'Norm of the gradient, before clipping.', ({ gradNorm }) => gradNorm);
  ofLastStep('strata_trainer_run_learning_rate', 'Learning rate of the last step.', ({ learningRate }) => learningRate);
  ofLastStep('strata_trainer_run_step_seconds', 'How long the last step took.', ({ stepSeconds }) => stepSeconds);
  ofLastStep(
    'strata_trainer_run_tokens_per_second',
    'Tokens trained on in a second.',
    (point) => point.tokensPerSecond,
  );
  return { restarted: () => restarts.add({}) };
}

const isActive = (run: Run): boolean => !isOver(run);

const toSample = ({ id, name }: Run, value: number | undefined): OfRun[] =>
  value === undefined ? [] : [[{ run: id, name }, value]];
