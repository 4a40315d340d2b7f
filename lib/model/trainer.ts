// A training run's numerical half, as the trainer's worker sees it: create-trainer.ts makes it. A run is a function of its
// options and its batches: the same ones give the same bits, also across a stop and a start from `state()`.
import type { Batch } from './batches.ts';
import type { ModelConfig } from './config.ts';
import type { EvaluationMetrics } from './meter.ts';
import type { Weights } from './weights.ts';

export type { EvaluationMetrics };

export type Objective = 'lm' | 'classify';

export interface Hyperparameters {
  readonly learningRate: number;
  readonly minLearningRate: number;
  readonly warmupSteps: number;
  /** The step at which the cosine reaches minLearningRate. */
  readonly maxSteps: number;
  readonly beta1: number;
  readonly beta2: number;
  /** Of matrices only, decoupled. */
  readonly weightDecay: number;
  /** Largest global norm of the gradient; 0: no clipping. */
  readonly gradClip: number;
  readonly dropout: number;
}

/** Everything a run needs to go on as if it had never stopped; both maps can be written as safetensors files. */
export interface TrainerState {
  /** Updates made so far. */
  readonly step: number;
  readonly weights: Weights;
  /** AdamW's moments of the trained weights: `exp_avg.<name>` and `exp_avg_sq.<name>`. */
  readonly optimizer: Weights;
}

export interface TrainerOptions {
  readonly config: ModelConfig;
  readonly objective: Objective;
  readonly hyper: Hyperparameters;
  /** Seeds dropout, and the weights that `start` does not have. */
  readonly seed: number;
  /**
   * Fresh weights where absent; a base model's weights (a missing `score.weight` is made for a classifier); or the state
   * of a run to go on with.
   */
  readonly start?: Weights | TrainerState | undefined;
  /** Which weights are trained; the others cost no gradient, no moments and less compiling. Default: all. */
  readonly trainable?: ((name: string) => boolean) | undefined;
}

export interface StepMetrics {
  /** Updates made, this one included. */
  readonly step: number;
  /** Mean over everything that carried loss in this step. */
  readonly loss: number;
  /** Global norm before clipping. */
  readonly gradNorm: number;
  readonly learningRate: number;
  /** Tokens (or labelled rows) that carried loss. */
  readonly scored: number;
}

export interface Trainer extends Disposable {
  readonly step: number;
  /** One update from one or more micro-batches. Blocks the thread: call it in a worker. */
  update(microBatches: readonly Batch[]): StepMetrics;
  /** Without dropout, over all batches together; gives way to the event loop between batches. */
  evaluate(batches: AsyncIterable<Batch> | Iterable<Batch>): Promise<EvaluationMetrics>;
  /** A copy of the present weights in the model's own order. */
  weights(): Weights;
  state(): TrainerState;
  dispose(): void;
}
