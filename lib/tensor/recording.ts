// Runs a function once on placeholders and keeps what it did: the body of a compiled function.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { EngineBackend } from './backend.ts';
import type { Binding } from './binding.ts';
import type { GraphOutput } from './capi.ts';
import type { TensorSpec } from './dtypes.ts';
import type { Graph } from './graph.ts';
import type { Lowering, Trace, TracedVariable } from './trace.ts';
import { leavesOf, mapTree, type Tree } from './trees.ts';

export interface FunctionSource<R> {
  readonly fn: (...args: never) => R;
  /** Gives the structure of the arguments; the tensors in it are not touched. */
  readonly args: readonly Tree[];
  /** The tensors of the arguments, in order. */
  readonly inputs: readonly (TensorSpec & { readonly donated: boolean })[];
}

export interface Recording<R> {
  readonly graph: Graph;
  readonly inputs: readonly GraphOutput[];
  /** What the function gives: the results that are not put into a donated input. */
  readonly outputs: readonly GraphOutput[];
  /** For each result the number of the donated input whose place it takes, or undefined. */
  readonly places: readonly (number | undefined)[];
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
      const arguments_ = source.inputs.map((spec) => toArgument(trace, spec));
      const tracers = arguments_.map(({ id }) => backend.toTensor(id));
      const next = () => tracers.shift() as Tensor;
      const result = source.fn(...(source.args.map((arg) => mapTree(arg, next)) as never));
      const results = backend.getInputTensorIds(leavesOf(result, 'result'));
      const places = placeResults(
        arguments_,
        results.map((id) => binding.store.get(id)),
      );
      results.forEach((id, i) => {
        const variable = arguments_[places[i] ?? -1]?.variable;
        if (variable) trace.assign(variable, trace.outputOf(id));
      });
      const given = results.filter((_, i) => places[i] === undefined);
      const outputs = distinctOutputs(binding, trace, { arguments_: arguments_.map(({ id }) => id), results: given });
      const inputs = [...arguments_.map(({ input }) => input), ...trace.captures.values()];
      const captured = [...trace.captures.keys()].map((id) => binding.store.share(id));
      recording = { graph: trace.graph, inputs, outputs, places, captured, result };
    });
    return recording as Recording<R>;
  });
}

interface Argument {
  /** Of the value, as the traced function sees it. */
  readonly id: number;
  readonly input: GraphOutput;
  readonly variable?: TracedVariable;
}

function toArgument(trace: Trace, { dtype, shape, donated }: FunctionSource<unknown>['inputs'][number]): Argument {
  if (donated) {
    const variable = trace.addVariable({ dtype, shape });
    return { id: variable.id, input: variable.resource, variable };
  }
  const id = trace.addInput({ dtype, shape });
  return { id, input: trace.outputOf(id) };
}

/** Each result takes the place of the first donated input of its type and shape that is still free. */
function placeResults(arguments_: readonly Argument[], results: readonly TensorSpec[]): (number | undefined)[] {
  const free = new Set(arguments_.flatMap(({ variable }, i) => (variable ? [i] : [])));
  return results.map((result) => {
    const place = [...free].find((i) => isAlike(arguments_[i]?.variable, result));
    if (place !== undefined) free.delete(place);
    return place;
  });
}

const isAlike = (a: TensorSpec | undefined, b: TensorSpec) => a?.dtype === b.dtype && `${a.shape}` === `${b.shape}`;

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
