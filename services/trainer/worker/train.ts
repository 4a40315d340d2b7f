// The training loop: step, look at it, evaluate, checkpoint, until the last step or until asked to stop.
import { setImmediate as breathe } from 'node:timers/promises';
import type { Hyperparameters, MetricPoint } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import type { EvaluationMetrics, StepMetrics, Trainer } from '#lib/model/trainer.ts';
import { AppError, failedPrecondition, isAbortError } from '#lib/platform/errors.ts';
import { logEvery } from '../metric-log.ts';
import type { CountedBatch } from './batches.ts';
import type { Checkpoints, Position } from './checkpoints.ts';
import { createPace, type PaceReading } from './pace.ts';
import type { Report } from './report.ts';
import type { Sampler } from './sampler.ts';

export interface TrainOptions {
  trainer: Trainer;
  /** Where the trainer stands. */
  from: Position;
  hyperparameters: Hyperparameters;
  classify: boolean;
  /** Which weights are trained, and so go into checkpoints. */
  isTrained: (name: string) => boolean;
  hasValidation: boolean;
  sampler: Sampler;
  checkpoints: Checkpoints;
  report: Report;
  /** Asks for a checkpoint and an end. */
  stop: AbortSignal;
}

/** Where it got to; short of the last step only when asked to stop. FAILED_PRECONDITION when the loss is no number any more. */
export const train = async (options: TrainOptions): Promise<Position> => {
  const { sampler, hyperparameters, stop } = options;
  const session = createSession(options);
  const batches = sampler.training(options.from.step);
  try {
    while (session.position().step < hyperparameters.maxSteps && !stop.aborted) {
      await session.step(await take(batches, hyperparameters.accumulationSteps));
      await breathe();
    }
  } catch (error) {
    // Asked to stop while it waited for data: nothing was begun.
    if (!stop.aborted || !isAbortError(error)) throw error;
  } finally {
    void batches.return(undefined);
  }
  await session.save();
  return session.position();
};

const createSession = (options: TrainOptions) => {
  const { trainer, hyperparameters: hyper, sampler, report, checkpoints, classify, hasValidation } = options;
  const { maxSteps, evalEvery, checkpointEvery } = hyper;
  const pace = createPace({ maxSteps, evalEvery: hasValidation ? evalEvery : 0 });
  const stopwatch = createStopwatch();
  let position = options.from;
  let savedStep = position.step;
  let stepsWithoutLoss = 0;

  const advance = (metrics: StepMetrics, tokens: number): void => {
    const { step } = metrics;
    const nextSample = step * hyper.batchSize * hyper.accumulationSteps;
    position = { ...position, step, nextSample, tokensSeen: position.tokensSeen + tokens };
    pace.step(stopwatch.lap(), tokens);
  };

  /** True where it is the best so far. */
  const noteBest = ({ loss }: EvaluationMetrics): boolean => {
    if (position.best && position.best.validationLoss <= loss) return false;
    position = { ...position, best: { step: position.step, validationLoss: loss } };
    return true;
  };

  const evaluate = async (): Promise<EvaluationMetrics> => {
    const metrics = await trainer.evaluate(batchesOf(sampler.validation()));
    if (metrics.scored === 0) throw nothingToLearn('the validation part', hyper);
    pace.evaluation(stopwatch.lap());
    return metrics;
  };

  /** One step may be all prompt; many in a row are a mistake that would end in a model that has learnt nothing. */
  const refuseSilence = ({ scored }: StepMetrics): void => {
    stepsWithoutLoss = scored === 0 ? stepsWithoutLoss + 1 : 0;
    if (stepsWithoutLoss === 10) throw nothingToLearn('ten steps in a row', hyper);
  };

  const save = async (): Promise<void> => {
    const { step, best } = position;
    if (step === savedStep) return;
    await report.flush();
    const { weights, optimizer } = trainer.state();
    const trained = new Map([...weights].filter(([name]) => options.isTrained(name)));
    await checkpoints.save({ position, weights: trained, optimizer });
    savedStep = step;
    await report.checkpointSaved(step);
    await checkpoints.prune({
      newest: step,
      keep: hyper.keepCheckpoints,
      best: hyper.keepBest ? best?.step : undefined,
    });
    stopwatch.lap();
  };

  const step = async (micro: readonly CountedBatch[]): Promise<void> => {
    const metrics = trainer.update(micro.map(({ batch }) => batch));
    refuseDivergence(metrics, savedStep);
    refuseSilence(metrics);
    advance(
      metrics,
      micro.reduce((sum, { tokens }) => sum + tokens, 0),
    );
    const isLast = position.step === maxSteps;
    const isDue = (every: number): boolean => isLast || position.step % every === 0;
    const validation = hasValidation && isDue(evalEvery) ? await evaluate() : undefined;
    const isBest = validation !== undefined && noteBest(validation);
    if (validation || isDue(logEvery(maxSteps))) {
      const { tokensSeen } = position;
      await report.add(toPoint(metrics, { validation, classify, tokensSeen, reading: pace.read(position.step) }));
    }
    if (isDue(checkpointEvery) || (isBest && hyper.keepBest)) await save();
  };

  return { step, save, position: () => position };
};

const createStopwatch = () => {
  let mark = performance.now();
  return {
    /** Seconds since the last lap. */
    lap: (): number => {
      const before = mark;
      mark = performance.now();
      return (mark - before) / 1000;
    },
  };
};

const take = async (batches: AsyncGenerator<CountedBatch>, count: number): Promise<CountedBatch[]> => {
  const taken: CountedBatch[] = [];
  while (taken.length < count) {
    const { done, value } = await batches.next();
    if (done) throw new AppError('INTERNAL', 'the stream of training batches ended, though it has no end');
    taken.push(value);
  }
  return taken;
};

async function* batchesOf(counted: AsyncIterable<CountedBatch>) {
  for await (const { batch } of counted) yield batch;
}

const refuseDivergence = ({ step, loss, gradNorm, learningRate }: StepMetrics, savedStep: number): void => {
  if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return;
  const kept = savedStep ? `the checkpoint of step ${savedStep} is kept` : 'there is no checkpoint yet';
  throw failedPrecondition(
    `the loss is ${loss} at step ${step} (gradient norm ${gradNorm}, learning rate ${learningRate.toPrecision(3)}); ${kept}. ` +
      'Start a run with a lower learning_rate, more warmup_steps, or grad_clip 1',
  );
};

const nothingToLearn = (where: string, { blockSize }: Hyperparameters): AppError =>
  failedPrecondition(
    `no token in ${where} carries loss within block_size ${blockSize}: the answers lie behind the cut. Use a larger block_size, or a base with a longer context`,
  );

interface PointFacts {
  validation: EvaluationMetrics | undefined;
  classify: boolean;
  tokensSeen: number;
  reading: PaceReading;
}

const toPoint = (metrics: StepMetrics, { validation, classify, tokensSeen, reading }: PointFacts): MetricPoint => ({
  step: metrics.step,
  loss: metrics.loss,
  learningRate: metrics.learningRate,
  gradNorm: metrics.gradNorm,
  ...(validation && { validationLoss: validation.loss }),
  ...(validation && classify && { validationAccuracy: validation.accuracy }),
  tokensSeen,
  ...reading,
});
