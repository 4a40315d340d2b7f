// One attempt at one run, from where the last one left it to its end.
import type { DataSamplerServiceClient } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { type Hyperparameters, Objective } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import type { WeightLoaderServiceClient } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import type { ModelConfig } from '#lib/model/config.ts';
import { createTrainer } from '#lib/model/create-trainer.ts';
import { inLastLayers, paramSpecs } from '#lib/model/params.ts';
import type { Trainer } from '#lib/model/trainer.ts';
import { getWeight, sizeOf, type Weights } from '#lib/model/weights.ts';
import type { DeadlineOption } from '#lib/platform/grpc-client.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import type { Platform } from '#lib/platform/platform.ts';
import { createMetricLog } from '../metric-log.ts';
import { moveRun, type Run } from '../run.ts';
import { type Checkpoints, createCheckpoints, type Position } from './checkpoints.ts';
import type { Claim } from './claim.ts';
import { publishModel } from './publish-model.ts';
import { createReport } from './report.ts';
import { createSampler } from './sampler.ts';
import { dropoutOf, loadStartModel, type StartModel } from './start-model.ts';
import { train } from './train.ts';

export interface WorkOptions {
  claim: Claim;
  platform: Pick<Platform, 'objects' | 'state' | 'events'>;
  dataSampler: Pick<DataSamplerServiceClient, 'streamBatches'>;
  weightLoader: Pick<WeightLoaderServiceClient<DeadlineOption>, 'registerModel'>;
  codeVersion: string;
  /** How long the data sampler may be away. */
  patienceMs: number;
  /** Loads the engine for the run's device. */
  openEngine: (run: Run) => Promise<unknown>;
  /** Asks for a checkpoint and an end. */
  stop: AbortSignal;
  log: Logger;
}

export type Outcome = 'finished' | 'interrupted';

export const work = async (options: WorkOptions): Promise<Outcome> => {
  const { claim, platform, log } = options;
  const run = await claim.run();
  await options.openEngine(run);
  const checkpoints = createCheckpoints({ objects: platform.objects, run, log });
  const begun = await begin(run, platform.objects, checkpoints);
  using trainer = begun.trainer;
  const { step } = begun.from;
  log.info({ step }, step ? 'going on from a checkpoint' : 'starting from the beginning');
  const parameters = paramSpecs(begun.config).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  await claim.update((current) => ({ ...current, parameters, checkpointStep: step }));

  const position = await runLoop({ ...options, ...begun, run, checkpoints });
  if (position.step < maxStepsOf(run)) return 'interrupted';
  const result = await finalWeights(run, { ...begun, trainer, checkpoints, position });
  const model = await publishModel({ ...options, ...begun, ...result, run, objects: platform.objects });
  await claim.update((current) => moveRun(current, { phase: 'succeeded', model }, new Date()));
  log.info({ model }, 'the run is finished');
  return 'finished';
};

const maxStepsOf = ({ spec }: Run): number => (spec.hyperparameters as Hyperparameters).maxSteps;

interface Begun extends Omit<StartModel, 'weights'> {
  trainer: Trainer;
  from: Position;
  /** Which weights the run trains, and so keeps in its checkpoints. */
  isTrained: (name: string) => boolean;
  /** The others, which stay the base model's. */
  frozen: Weights;
}

/** The trainer at the newest whole checkpoint, or at the start. The base model's weights are let go of as soon as the engine has them. */
const begin = async (run: Run, objects: ObjectStore, checkpoints: Checkpoints): Promise<Begun> => {
  const { weights: base, ...model } = await loadStartModel(objects, run);
  const { trainLastLayers } = run.spec.hyperparameters as Hyperparameters;
  const isTrained = trainLastLayers ? inLastLayers(model.config, trainLastLayers) : () => true;
  const frozen: Weights = new Map([...(base ?? [])].filter(([name]) => !isTrained(name)));
  const checkpoint = await checkpoints.loadNewest();
  const start = checkpoint && {
    step: checkpoint.position.step,
    weights: inModelOrder(model.config, checkpoint.weights, frozen),
    optimizer: checkpoint.optimizer,
  };
  const trainer = createTrainer({
    ...trainerOptions(run),
    config: model.config,
    start: start ?? base,
    trainable: isTrained,
  });
  const from = checkpoint?.position ?? { step: 0, nextSample: 0, tokensSeen: 0, best: null };
  return { ...model, trainer, from, isTrained, frozen };
};

const trainerOptions = ({ spec }: Run) => ({
  objective: spec.objective === Objective.OBJECTIVE_CLASSIFY ? ('classify' as const) : ('lm' as const),
  hyper: { ...(spec.hyperparameters as Hyperparameters), dropout: dropoutOf(spec) },
  seed: spec.seed,
});

const inModelOrder = (config: ModelConfig, ...parts: readonly Weights[]): Weights => {
  const all = new Map(parts.flatMap((weights) => [...weights]));
  return new Map(paramSpecs(config).map(({ name, shape }) => [name, getWeight(all, name, shape)]));
};

const runLoop = (options: WorkOptions & Begun & { run: Run; checkpoints: Checkpoints }): Promise<Position> => {
  const { run, platform, dataSampler, claim, stop, log, patienceMs } = options;
  const { spec, inputs } = run;
  return train({
    ...options,
    hyperparameters: spec.hyperparameters as Hyperparameters,
    classify: spec.objective === Objective.OBJECTIVE_CLASSIFY,
    hasValidation: inputs.validated.length > 0,
    sampler: createSampler({ client: dataSampler, run, stop, log, patienceMs }),
    report: createReport({
      run,
      claim,
      metrics: createMetricLog(platform.state),
      events: platform.events,
      maxSteps: maxStepsOf(run),
    }),
  });
};

interface FinishedLoop extends Pick<Begun, 'config' | 'frozen' | 'trainer'> {
  checkpoints: Checkpoints;
  position: Position;
}

/** The last weights, or those of the best validation where the run wants to keep them. */
const finalWeights = async (run: Run, { config, frozen, trainer, checkpoints, position }: FinishedLoop) => {
  const { step, best } = position;
  if (!run.spec.hyperparameters?.keepBest || !best || best.step === step) return { step, weights: trainer.weights() };
  return { step: best.step, weights: inModelOrder(config, await checkpoints.loadWeights(best.step), frozen) };
};
