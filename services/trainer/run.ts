// A run and its life: the states it can be in, the moves between them, and nothing else. Pure; `run-store.ts` keeps runs.
//
//   pending ──> running ──> succeeded
//      ^         │  │ └───> failed ────┐
//      ├─────────┘  └─> cancelling     │   running -> pending: the worker died or was interrupted
//      │                    └────> cancelled   failed, cancelled -> pending: ResumeRun
//      └──────────────────────────────┴┘
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { MetricPoint, Restart, RunSpec } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';

export const phases = ['pending', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled'] as const;
export type Phase = (typeof phases)[number];

export type RunState =
  /** Waits for a worker; after a death not before `notBefore` (ISO time). */
  | { phase: 'pending'; notBefore?: string }
  /** The job of this name works on it. */
  | { phase: 'running'; job: string }
  /** The job was told to checkpoint and end. */
  | { phase: 'cancelling'; job: string }
  | { phase: 'succeeded'; model: ArtifactRef }
  /** Why, and what to do. */
  | { phase: 'failed'; error: string }
  | { phase: 'cancelled' };

/** What is known about a run's inputs once CreateRun has checked them: exact versions, so that the run stays a function of its record. */
export interface RunInputs {
  tokenizer: ArtifactRef;
  tokenizerSha256: string;
  vocabSize: number;
  /** Class names in the order of their ids; only for a classifier. */
  labelNames: string[];
  /** Object-store prefix of the base model's files; empty for fresh weights. */
  basePrefix: string;
  /** The datasets of the mixture that have a validation part. */
  validated: ArtifactRef[];
}

export interface Run {
  readonly id: string;
  /** Of the request as it came: the same request_id must not ask for something else. */
  readonly requestSha256: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As asked for, with every default filled in and every reference pinned to a version. */
  readonly spec: RunSpec;
  readonly inputs: RunInputs;
  readonly createTime: string;
  startTime: string;
  endTime: string;
  state: RunState;
  /** Workers started so far; the number of the newest fences older ones. */
  attempts: number;
  restarts: Restart[];
  /** What keeps its worker from beginning, where that is known and takes a while; absent in runs of before. */
  waitingFor?: string;
  /** Workers in a row that died without a new checkpoint: what is bounded. */
  deaths: number;
  /** The newest checkpoint that is known to be whole; 0: none. */
  checkpointStep: number;
  parameters: number;
  lastMetrics: MetricPoint | null;
  /** What the newest worker said before it gave up; empty where it died without a word. */
  workerError: string;
  /** The trace that asked for it; its work goes on in it. */
  traceparent?: string | undefined;
  /** The id of the last event that told the others how the run stands; see announce.ts. */
  announced: string;
}

const moves = {
  pending: ['running', 'failed', 'cancelled'],
  running: ['pending', 'cancelling', 'succeeded', 'failed'],
  cancelling: ['cancelled', 'succeeded', 'failed'],
  succeeded: [],
  failed: ['pending'],
  cancelled: ['pending'],
} satisfies Record<Phase, readonly Phase[]>;

export const isOver = ({ state }: Pick<Run, 'state'>): boolean =>
  state.phase === 'succeeded' || state.phase === 'failed' || state.phase === 'cancelled';

/** Thrown for a move that the table does not have; services answer FAILED_PRECONDITION. */
export class RunMoveError extends Error {
  override readonly name = 'RunMoveError';
}

/** The run in its next state. Times follow from the move. */
export const moveRun = (run: Run, next: RunState, now: Date): Run => {
  const allowed: readonly Phase[] = moves[run.state.phase];
  if (!allowed.includes(next.phase)) {
    throw new RunMoveError(`run ${run.id} is ${run.state.phase}: it cannot become ${next.phase}`);
  }
  const time = now.toISOString();
  const moved = { ...run, state: next };
  moved.startTime = run.startTime || (next.phase === 'running' ? time : '');
  moved.endTime = isOver(moved) ? time : '';
  moved.waitingFor = '';
  return moved;
};

const keptRestarts = 10;

/** A worker ended before its run did: wait for the next one, and keep the reason. */
export const restartRun = (
  run: Run,
  { reason, delayMs = 0, now }: { reason: string; delayMs?: number; now: Date },
): Run => {
  const restart = { attempt: run.attempts, fromStep: run.checkpointStep, reason, time: now.toISOString() };
  const notBefore = new Date(now.getTime() + delayMs).toISOString();
  const pending = moveRun(run, { phase: 'pending', notBefore }, now);
  return { ...pending, restarts: [...run.restarts, restart].slice(-keptRestarts) };
};

export interface DeathPolicy {
  /** Workers that may die in a row without a new checkpoint. */
  maxRestarts: number;
  /** Before the first restart in a row; doubled for each further one. */
  restartDelayMs: number;
}

/** A worker died: another one gets its chance, unless too many died in a row. */
export const buryWorker = (run: Run, reason: string, { maxRestarts, restartDelayMs }: DeathPolicy, now: Date): Run => {
  if (run.deaths < maxRestarts) {
    const delayMs = restartDelayMs * 2 ** run.deaths;
    return { ...restartRun(run, { reason, delayMs, now }), deaths: run.deaths + 1 };
  }
  const where = run.checkpointStep ? `the checkpoint of step ${run.checkpointStep}` : 'the start';
  const error = `${reason}; ${maxRestarts + 1} workers in a row got no further than ${where}: remove the cause, then resume the run (strata run resume ${run.id})`;
  return moveRun(run, { phase: 'failed', error }, now);
};

/** A run that works is told to end, one that waits is over at once; undefined where that has been done already. */
export const cancelRun = (run: Run, now: Date): Run | undefined => {
  const { state } = run;
  if (state.phase === 'cancelling' || state.phase === 'cancelled') return undefined;
  if (state.phase === 'running') return moveRun(run, { phase: 'cancelling', job: state.job }, now);
  return moveRun(run, { phase: 'cancelled' }, now);
};

/** A cancelled or failed run goes on, with a fresh set of chances; undefined where it already does. */
export const resumeRun = (run: Run, now: Date): Run | undefined => {
  if (run.state.phase === 'pending' || run.state.phase === 'running') return undefined;
  return { ...moveRun(run, { phase: 'pending' }, now), deaths: 0, workerError: '' };
};
