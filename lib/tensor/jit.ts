// jit: a function over tensors becomes one compiled TensorFlow function per signature of its arguments.
//
// The first call with new shapes runs `fn` once to record it (trace.ts); the recording is compiled by XLA, or run by
// TensorFlow's graph executor where XLA cannot compile it or the caller asks for that.
import * as tf from '@tensorflow/tfjs-core';
import { currentBackend, type EngineBackend } from './backend.ts';

import { type Compiled, createProgram, type Program } from './program.ts';
import type { TensorSpec } from './tensor-store.ts';
import type { Lowering } from './trace.ts';
import { leavesOf, signatureOf, type Tree } from './trees.ts';

export interface JitOptions {
  /** Where absent: XLA, and the graph executor for what XLA cannot compile. Where given: that one or an error. */
  readonly lowering?: Lowering | undefined;
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
  { lowering }: JitOptions = {},
): Jitted<A, R> {
  const programs = new Map<string, Program<R>>();
  const sourceOf = (backend: EngineBackend, args: A, inputs: readonly tf.Tensor[]) => {
    const specs = backend.getInputTensorIds(inputs).map((id) => specOf(backend.engineBinding.store.get(id)));
    return { fn, args, inputs: specs };
  };
  const call = (...args: A): R => {
    const backend = currentBackend();
    if (backend.engineBinding.trace || tf.engine().state.gradientDepth > 0) return fn(...args);
    const inputs = leavesOf(args);
    const signature = signatureOf(args);
    const program =
      programs.get(signature) ?? createProgram(backend, sourceOf(backend, args, inputs), { signature, lowering });
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

const specOf = ({ dtype, shape }: TensorSpec): TensorSpec => ({ dtype, shape });
