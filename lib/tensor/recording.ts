// Runs a function once on placeholders and keeps what it did: the body of a compiled function.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { EngineBackend } from './backend.ts';
import type { Binding } from './binding.ts';
import type { GraphOutput } from './capi.ts';
import type { Graph } from './graph.ts';
import type { TensorSpec } from './tensor-store.ts';
import type { Lowering, Trace } from './trace.ts';
import { leavesOf, mapTree, type Tree } from './trees.ts';

export interface FunctionSource<R> {
  readonly fn: (...args: never) => R;
  /** Gives the structure of the arguments; the tensors in it are not touched. */
  readonly args: readonly Tree[];
  /** The tensors of the arguments, in order. */
  readonly inputs: readonly TensorSpec[];
}

export interface Recording<R> {
  readonly graph: Graph;
  readonly inputs: readonly GraphOutput[];
  readonly outputs: readonly GraphOutput[];
  /** Ids of shared copies of the outer tensors the function uses: its inputs after the arguments. */
  readonly captured: readonly number[];
  /** The structure of the result; its tensors are gone. */
  readonly result: R;
}

/** The caller disposes the graph and the captured tensors. */
export function recordFunction<R extends Tree>(
  backend: EngineBackend,
  source: FunctionSource<R>,
  lowering: Lowering,
): Recording<R> {
  const binding = backend.engineBinding;
  return binding.record(lowering, (trace) => {
    let recording: Recording<R> | undefined;
    tf.tidy(() => {
      const arguments_ = source.inputs.map(trace.addInput);
      const tracers = arguments_.map((id) => backend.toTensor(id));
      const next = () => tracers.shift() as Tensor;
      const result = source.fn(...(source.args.map((arg) => mapTree(arg, next)) as never));
      const results = backend.getInputTensorIds(leavesOf(result, 'result'));
      const outputs = distinctOutputs(binding, trace, { arguments_, results });
      const inputs = [...arguments_.map(trace.outputOf), ...trace.captures.values()];
      const captured = [...trace.captures.keys()].map((id) => binding.store.share(id));
      recording = { graph: trace.graph, inputs, outputs, captured, result };
    });
    return recording as Recording<R>;
  });
}

/** A TensorFlow function gives each of its outputs once, and no input as it is: an Identity stands in where needed. */
function distinctOutputs(
  binding: Binding,
  trace: Trace,
  ids: { readonly arguments_: readonly number[]; readonly results: readonly number[] },
): GraphOutput[] {
  const keyOf = ({ oper, index }: GraphOutput) => `${oper}:${index}`;
  const outputs = ids.results.map(trace.outputOf); // before the captures are listed: a result may be one
  const taken = new Set([...ids.arguments_.map(trace.outputOf), ...trace.captures.values()].map(keyOf));
  return outputs.map((output, i) => {
    const isTaken = taken.has(keyOf(output));
    taken.add(keyOf(output));
    return isTaken ? identityOf(binding, trace, ids.results[i] as number) : output;
  });
}

function identityOf(binding: Binding, trace: Trace, id: number): GraphOutput {
  const [copy = -1] = binding.run('Identity', [], [id]);
  const output = trace.outputOf(copy);
  binding.store.remove(copy);
  return output;
}
