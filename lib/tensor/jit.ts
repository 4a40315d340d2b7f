// jit: a function over tensors becomes one compiled TensorFlow function per signature of its arguments.
//
// The first call with new shapes runs `fn` once to record it (trace.ts); the recording is compiled by XLA, or run by
// TensorFlow's graph executor where XLA cannot compile it or the caller asks for that.
import * as tf from '@tensorflow/tfjs-core';
import { currentBackend, type EngineBackend } from './backend.ts';
import type { TensorSpec } from './dtypes.ts';

import { type Compiled, createProgram, type Program } from './program.ts';
import type { Lowering } from './trace.ts';
import { leavesOf, signatureOf, type Tree } from './trees.ts';

export interface JitOptions {
  /** Where absent: XLA, and the graph executor for what XLA cannot compile. Where given: that one or an error. */
  readonly lowering?: Lowering | undefined;
  /**
   * Arguments, by position, that the call uses up: their tensors are disposed, and results of the same types and shapes
   * are written into their memory. A training step that donates its state needs room for one state instead of two.
   */
  readonly donate?: readonly number[] | undefined;
}

export interface Jitted<A extends readonly Tree[], R extends Tree> extends Disposable {
  (...args: A): R;
  readonly compiled: readonly Compiled[];
  /** Frees the compiled functions and the outer tensors they hold. */
  dispose(): void;
}

/**
 * Returns `fn`, compiled. Arguments and results are tensors or lists and records of them.
 *
 * `fn` runs only while it is recorded: it must be a function of its arguments. Outer tensors it uses are captured by
 * value. A result belongs to the caller, who disposes it. Called while another function is recorded, or inside
 * tf.grad and its kin, `fn` is run as it is and becomes part of that.
 */
export function jit<A extends readonly Tree[], R extends Tree>(
  fn: (...args: A) => R,
  { lowering, donate = [] }: JitOptions = {},
): Jitted<A, R> {
  const programs = new Map<string, Program<R>>();
  const call = (...args: A): R => {
    const backend = currentBackend();
    if (backend.engineBinding.trace || tf.engine().state.gradientDepth > 0) return fn(...args);
    const leaves = args.flatMap((arg, i) =>
      leavesOf(arg, `argument[${i}]`).map((tensor) => ({ tensor, donated: donate.includes(i) })),
    );
    checkDonated(backend, leaves);
    const inputs = leaves.map(({ tensor }) => tensor);
    const signature = signatureOf(args);
    const program =
      programs.get(signature) ??
      createProgram(backend, { fn, args, inputs: specsOf(backend, leaves) }, { signature, lowering });
    programs.set(signature, program);
    return program.run(inputs);
  };
  const dispose = () => {
    for (const program of programs.values()) program.dispose();
    programs.clear();
  };
  return Object.defineProperties(call, {
    compiled: { get: () => [...programs.values()].map((program) => program.describe()) },
    dispose: { value: dispose },
    [Symbol.dispose]: { value: dispose },
  }) as Jitted<A, R>;
}

interface Leaf {
  readonly tensor: tf.Tensor;
  readonly donated: boolean;
}

const specsOf = (backend: EngineBackend, leaves: readonly Leaf[]): (TensorSpec & { donated: boolean })[] =>
  backend.getInputTensorIds(leaves.map(({ tensor }) => tensor)).map((id, i) => {
    const { dtype, shape } = backend.engineBinding.store.get(id);
    return { dtype, shape, donated: leaves[i]?.donated ?? false };
  });

/** A donated tensor's memory is overwritten, so nobody else may hold it. */
function checkDonated(backend: EngineBackend, leaves: readonly Leaf[]): void {
  const uses = new Map<object, number>();
  for (const { tensor } of leaves) uses.set(tensor.dataId, (uses.get(tensor.dataId) ?? 0) + 1);
  for (const { tensor, donated } of leaves) {
    if (!donated || (uses.get(tensor.dataId) === 1 && backend.refCount(tensor.dataId) === 1)) continue;
    throw new RangeError(
      `jit: a donated ${tensor.dtype} [${tensor.shape}] is in use elsewhere: another argument, a clone or a reshape shares its memory`,
    );
  }
}
