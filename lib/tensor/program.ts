// One signature of a jit function: recorded, turned into a TensorFlow function, and run.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { EngineBackend } from './backend.ts';
import type { Binding } from './binding.ts';
import type { GraphOutput, Pointer } from './capi.ts';
import { TensorFlowError } from './errors.ts';
import { execute } from './execute.ts';
import type { Trace } from './trace.ts';
import { leavesOf, mapTree, type Tree } from './trees.ts';
import { varintField } from './wire.ts';

export type Lowering = 'xla' | 'graph';

/** What became of one signature. */
export interface Compiled {
  readonly signature: string;
  readonly lowering: Lowering;
  /** Operations in the recording. */
  readonly operations: number;
  /** Why XLA was given up, where it was. */
  readonly fallback?: string;
}

export interface Program<R> {
  describe(): Compiled;
  run(inputs: readonly Tensor[]): R;
  dispose(): void;
}

export interface ProgramSource<R> {
  readonly fn: (...args: never) => R;
  readonly args: readonly Tree[];
  readonly inputs: readonly Tensor[];
  readonly signature: string;
  readonly lowering: Lowering | undefined;
}

interface Recording<R> {
  readonly trace: Trace;
  readonly inputs: readonly GraphOutput[];
  readonly outputs: readonly GraphOutput[];
  /** Ids of shared copies of the outer tensors the function uses: inputs after the arguments. */
  readonly captured: readonly number[];
  /** The shape of the result; its tensors are gone. */
  readonly result: R;
}

export function createProgram<R extends Tree>(backend: EngineBackend, source: ProgramSource<R>): Program<R> {
  const binding = backend.engineBinding;
  const recording = recordFunction(backend, source);
  const operations = recording.trace.graph.size;
  let lowering = source.lowering ?? 'xla';
  let fallback: string | undefined;
  let name = addFunction(binding, recording, lowering);
  let proven = false;

  const call = (inputs: readonly Tensor[]) => {
    const ids = [...backend.getInputTensorIds(inputs), ...recording.captured];
    const handles = ids.map(binding.store.handleOf);
    return execute(binding.runtime, name, { attrs: [], inputs: handles, outputs: recording.outputs.length });
  };
  const useGraph = (inputs: readonly Tensor[], error: unknown) => {
    if (!(error instanceof TensorFlowError) || source.lowering !== undefined || lowering === 'graph') throw error;
    const xlaName = name;
    name = addFunction(binding, recording, 'graph');
    try {
      const results = call(inputs);
      removeFunction(binding, xlaName);
      lowering = 'graph';
      fallback = error.message;
      return results;
    } catch {
      removeFunction(binding, name);
      name = xlaName;
      throw error;
    }
  };
  const executeFirst = (inputs: readonly Tensor[]) => {
    let results: Pointer[];
    try {
      results = call(inputs);
    } catch (error) {
      results = useGraph(inputs, error);
    }
    proven = true;
    recording.trace.graph.dispose();
    return results;
  };
  return {
    describe: () => ({ signature: source.signature, lowering, operations, ...(fallback && { fallback }) }),
    run(inputs) {
      const results = proven ? call(inputs) : executeFirst(inputs);
      const tensors = results.map((handle) => backend.toTensor(binding.store.adopt(handle, null)));
      return mapTree(recording.result, () => tensors.shift() as Tensor);
    },
    dispose() {
      removeFunction(binding, name);
      recording.trace.graph.dispose();
      for (const id of recording.captured) binding.store.remove(id);
    },
  };
}

function recordFunction<R extends Tree>(backend: EngineBackend, source: ProgramSource<R>): Recording<R> {
  const binding = backend.engineBinding;
  return binding.record((trace) => {
    let recording: Recording<R> | undefined;
    tf.tidy(() => {
      const ids = backend.getInputTensorIds(source.inputs);
      const tracerIds = ids.map((id) => trace.addInput(specOf(binding, id)));
      const tracers = tracerIds.map((id) => backend.toTensor(id));
      const next = () => tracers.shift() as Tensor;
      const result = source.fn(...(source.args.map((arg) => mapTree(arg, next)) as never));
      const results = backend.getInputTensorIds(leavesOf(result, 'result'));
      const outputs = distinctOutputs(binding, trace, { inputs: tracerIds, results });
      const inputs = [...tracerIds.map(trace.outputOf), ...trace.captures.values()];
      const captured = [...trace.captures.keys()].map((id) => binding.store.share(id));
      recording = { trace, inputs, outputs, captured, result };
    });
    return recording as Recording<R>;
  });
}

const specOf = (binding: Binding, id: number) => {
  const { dtype, shape } = binding.store.get(id);
  return { dtype, shape };
};

/** A TensorFlow function gives each of its outputs once, and no input as it is: an Identity stands in where needed. */
function distinctOutputs(binding: Binding, trace: Trace, ids: { inputs: number[]; results: number[] }): GraphOutput[] {
  const keyOf = ({ oper, index }: GraphOutput) => `${oper}:${index}`;
  for (const id of ids.results) trace.outputOf(id); // completes the captures
  const taken = new Set([...ids.inputs.map(trace.outputOf), ...trace.captures.values()].map(keyOf));
  return ids.results.map((id) => {
    const output = trace.outputOf(id);
    if (taken.has(keyOf(output))) return identityOf(binding, trace, id);
    taken.add(keyOf(output));
    return output;
  });
}

function identityOf(binding: Binding, trace: Trace, id: number): GraphOutput {
  const [copy = -1] = binding.run('Identity', [], [id]);
  const output = trace.outputOf(copy);
  binding.store.remove(copy);
  return output;
}

const namesInUse = new Set<string>();

/**
 * The name is a digest of the recording: XLA's persistent cache finds a compiled program by its function's name, so it
 * has to be the same in the next process.
 */
function nameFunction(trace: Trace): string {
  const digest = trace.graph.digest();
  for (let copy = 0; ; copy++) {
    const name = `jit_${digest}_${copy}`;
    if (namesInUse.has(name)) continue;
    namesInUse.add(name);
    return name;
  }
}

function addFunction(binding: Binding, recording: Recording<unknown>, lowering: Lowering): string {
  const { runtime } = binding;
  const { c, context, status, check } = runtime;
  const { trace, inputs, outputs } = recording;
  const name = nameFunction(trace);
  const fn = c.TF_GraphToFunction(
    ...([trace.graph.pointer, name, 0, -1, null] as const),
    ...([inputs.length, inputs, outputs.length, outputs] as const),
    ...([null, null, null, status] as const),
  );
  check('jit: making a TensorFlow function');
  if (lowering === 'xla') {
    const yes = varintField(5, 1); // AttrValue.b
    c.TF_FunctionSetAttrValueProto(fn, '_XlaMustCompile', yes, yes.length, status);
  }
  c.TFE_ContextAddFunction(context, fn, status);
  c.TF_DeleteFunction(fn);
  check('jit: adding the function');
  return name;
}

function removeFunction({ runtime: { c, context, status, check } }: Binding, name: string): void {
  c.TFE_ContextRemoveFunction(context, name, status);
  check('jit: removing a function');
  namesInUse.delete(name);
}
