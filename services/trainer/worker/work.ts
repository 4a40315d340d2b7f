// One attempt at one run, from where the last one left it to its end.
import type { DataSamplerServiceClient } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { type Hyperparameters, Objective } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import type { WeightLoaderServiceClient } from '#lib/contracts/gen/strata/weight_loader/v1/weight_loader.ts';
import { createTrainer } from '#lib/model/create-trainer.ts';
import { inLastLayers, paramSpecs } from '#lib/model/params.ts';
import type { Trainer } from '#lib/model/trainer.ts';
import { sizeOf, type Weights } from '#lib/model/weights.ts';
import type { DeadlineOption } from '#lib/platform/grpc-client.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { Platform } from '#lib/platform/platform.ts';
import { createMetricLog } from '../metric-log.ts';
import { moveRun, type Run } from '../run.ts';
import { type Checkpoint, type Checkpoints, createCheckpoints, type Position } from './checkpoints.ts';
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

const beginning: Position = { step: 0, nextSample: 0, tokensSeen: 0, best: null };

export const work = async (options: WorkOptions): Promise<Outcome> => {
  const { claim, platform, stop, log } = options;
  const run = await claim.run();
  const checkpoints = createCheckpoints({ objects: platform.objects, run, log });
  await options.openEngine(run);
  const model = await loadStartModel(platform.objects, run);
  const checkpoint = await checkpoints.loadNewest();
  const from = checkpoint?.position ?? beginning;
  log.info({ step: from.step }, checkpoint ? 'going on from a checkpoint' : 'starting from the beginning');
  using trainer = startTrainer(run, model, checkpoint);
  const parameters = paramSpecs(model.config).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  await claim.update((current) => ({ ...current, parameters, checkpointStep: from.step }));

  const position = await runLoop({ ...options, run, model, trainer, checkpoints, from });
  if (position.step < maxStepsOf(run)) return 'interrupted';
  const { step, weights } = await finalWeights(run, { model, trainer, checkpoints, position });
  const published = await publishModel({ ...options, ...model, run, weights, step, objects: platform.objects });
  await claim.update((current) => moveRun(current, { phase: 'succeeded', model: published }, new Date()));
  log.info({ model: published, stopped: stop.aborted }, 'the run is finished');
  return 'finished';
};

const maxStepsOf = ({ spec }: Run): number => (spec.hyperparameters as Hyperparameters).maxSteps;

/** Which weights a run trains, and so keeps in its checkpoints. */
const isTrainedIn = ({ spec }: Run, { config }: StartModel): ((name: string) => boolean) => {
  const { trainLastLayers } = spec.hyperparameters as Hyperparameters;
  return trainLastLayers ? inLastLayers(config, trainLastLayers) : () => true;
};

/** The weights of a checkpoint with the frozen ones of the base, in the model's order. */
const complete = ({ config, weights: base }: StartModel, trained: Weights): Weights =>
  new Map(
    paramSpecs(config).flatMap(({ name }) => {
      const tensor = trained.get(name) ?? base?.get(name);
      return tensor ? [[name, tensor] as const] : [];
    }),
  );

const startTrainer = (run: Run, model: StartModel, checkpoint: Checkpoint | undefined): Trainer => {
  const { objective, seed } = run.spec;
  const hyper = { ...(run.spec.hyperparameters as Hyperparameters), dropout: dropoutOf(run.spec) };
  const start = checkpoint
    ? { step: checkpoint.position.step, weights: complete(model, checkpoint.weights), optimizer: checkpoint.optimizer }
    : model.weights;
  return createTrainer({
    config: model.config,
    objective: objective === Objective.OBJECTIVE_CLASSIFY ? 'classify' : 'lm',
    hyper,
    seed,
    start,
    trainable: isTrainedIn(run, model),
  });
};

interface LoopOptions extends WorkOptions {
  run: Run;
  model: StartModel;
  trainer: Trainer;
  checkpoints: Checkpoints;
  from: Position;
}

const runLoop = (options: LoopOptions): Promise<Position> => {
  const { run, model, platform, dataSampler, claim, stop, log } = options;
  const { spec, inputs } = run;
  return train({
    ...options,
    hyperparameters: spec.hyperparameters as Hyperparameters,
    classify: spec.objective === Objective.OBJECTIVE_CLASSIFY,
    isTrained: isTrainedIn(run, model),
    hasValidation: inputs.validated.length > 0,
    sampler: createSampler({ client: dataSampler, run, stop, log, patienceMs: options.patienceMs }),
    report: createReport({
      run,
      claim,
      metrics: createMetricLog(platform.state),
      events: platform.events,
      maxSteps: maxStepsOf(run),
    }),
  });
};

interface FinishedLoop {
  model: StartModel;
  trainer: Trainer;
  checkpoints: Checkpoints;
  position: Position;
}

/** The last weights, or those of the best validation where the run wants to keep them. */
const finalWeights = async (run: Run, { model, trainer, checkpoints, position }: FinishedLoop) => {
  const { step, best } = position;
  if (!run.spec.hyperparameters?.keepBest || !best || best.step === step) return { step, weights: trainer.weights() };
  return { step: best.step, weights: complete(model, await checkpoints.loadWeights(best.step)) };
};
