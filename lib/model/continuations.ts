// Laying out texts of which only the end is scored: the rows a program reads, the places whose next tokens count, and the
// way back from the program's numbers to each text.
import { checkIds } from './batches.ts';
import type { ModelConfig } from './config.ts';

export interface Continuation {
  /** What comes before; without at least one token the continuation's first token has no probability. */
  readonly context: Int32Array;
  readonly continuation: Int32Array;
}

export interface LogLikelihood {
  /** Sum over the continuation's tokens, nats. */
  readonly logLikelihood: number;
  readonly tokens: number;
  /** Whether every token of the continuation is the most probable one at its place. */
  readonly isGreedy: boolean;
}

/** What the model reads, and the last `count` of its places, whose next tokens are `targets`. */
export interface Scored {
  readonly ids: Int32Array;
  readonly targets: Int32Array;
  readonly count: number;
}

export function toScored(
  { context, continuation }: Continuation,
  { vocabSize, contextSize: limit }: ModelConfig,
): Scored {
  const all = new Int32Array(context.length + continuation.length);
  all.set(context);
  all.set(continuation, context.length);
  if (context.length === 0 || continuation.length === 0) {
    throw new RangeError('logLikelihoods: a context and a continuation need at least one token each');
  }
  const count = Math.min(continuation.length, limit);
  return { ids: checkIds(all, vocabSize).subarray(0, -1).subarray(-limit), targets: all.subarray(-count), count };
}

/** Rows of ids, and for each row `room` places in the flattened rectangle with their targets (-1 beyond the row's own). */
export function layOut(inputs: readonly Scored[], { columns, room }: { columns: number; room: number }) {
  const places = new Int32Array(inputs.length * room);
  const targets = new Int32Array(inputs.length * room).fill(-1);
  for (const [row, { ids, targets: wanted, count }] of inputs.entries()) {
    for (let i = 0; i < count; i++) places[row * room + i] = row * columns + ids.length - count + i;
    targets.set(wanted, row * room);
  }
  return {
    ids: toRectangle(
      inputs.map(({ ids }) => ids),
      columns,
    ),
    places,
    targets,
  };
}

export function toRectangle(rows: readonly Int32Array[], columns: number): Int32Array {
  const rectangle = new Int32Array(rows.length * columns);
  for (const [row, ids] of rows.entries()) rectangle.set(ids, row * columns);
  return rectangle;
}

export function summarise(
  scores: Float32Array,
  { start, count, size }: { start: number; count: number; size: number },
): LogLikelihood {
  const logs = scores.subarray(start, start + count);
  const greedy = scores.subarray(size + start, size + start + count);
  return {
    logLikelihood: logs.reduce((sum, log) => sum + log, 0),
    tokens: count,
    isGreedy: greedy.every((hit) => hit === 1),
  };
}
