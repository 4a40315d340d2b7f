// One signature of a jit function: recorded, compiled at its first call, and run.
import type { Tensor } from '@tensorflow/tfjs-core';
import type { EngineBackend } from './backend.ts';
import { TensorFlowError } from './errors.ts';
import { addFunction } from './native-function.ts';
import { type FunctionSource, recordFunction } from './recording.ts';
import type { Lowering } from './trace.ts';
import { mapTree, type Tree } from './trees.ts';

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

export interface ProgramOptions {
  readonly signature: string;
  readonly lowering: Lowering | undefined;
}

export function createProgram<R extends Tree>(
  backend: EngineBackend,
  source: FunctionSource<R>,
  { signature, lowering }: ProgramOptions,
): Program<R> {
  let compiled = compile(backend, source, lowering ?? 'xla');
  let mayFallBack = lowering === undefined;
  let fallback: string | undefined;

  const runFirst = (inputs: readonly Tensor[]): R => {
    try {
      return compiled.run(inputs);
    } catch (error) {
      if (!(error instanceof TensorFlowError)) throw error;
      const graph = compile(backend, source, 'graph');
      const result = runOrDispose(graph, inputs, error);
      compiled.dispose();
      compiled = graph;
      fallback = error.message;
      return result;
    }
  };
  return {
    describe: () => ({
      signature,
      lowering: compiled.lowering,
      operations: compiled.operations,
      ...(fallback && { fallback }),
    }),
    run(inputs) {
      if (!mayFallBack) return compiled.run(inputs);
      const result = runFirst(inputs);
      mayFallBack = false;
      return result;
    },
    dispose: () => compiled.dispose(),
  };
}

/** Where the graph executor fails too, XLA's error is the one to tell. */
function runOrDispose<R>(graph: CompiledFunction<R>, inputs: readonly Tensor[], xlaError: TensorFlowError): R {
  try {
    return graph.run(inputs);
  } catch {
    graph.dispose();
    throw xlaError;
  }
}

interface CompiledFunction<R> {
  readonly lowering: Lowering;
  readonly operations: number;
  run(inputs: readonly Tensor[]): R;
  dispose(): void;
}

function compile<R extends Tree>(
  backend: EngineBackend,
  source: FunctionSource<R>,
  lowering: Lowering,
): CompiledFunction<R> {
  const { store, runtime } = backend.engineBinding;
  const recording = recordFunction(backend, source, lowering);
  const native = addFunction(runtime, recording, lowering);
  recording.graph.dispose();

  const runNative = (inputs: readonly Tensor[]) => {
    const ids = [...backend.getInputTensorIds(inputs), ...recording.captured];
    const variables = ids.map((id, i) => (source.inputs[i]?.donated ? store.toVariable(id) : undefined));
    const values = ids.filter((_, i) => variables[i] === undefined);
    return store.withHandles(values, (handles) => {
      const rest = [...handles];
      return native.run(variables.map((variable) => variable ?? rest.shift() ?? null));
    });
  };
  return {
    lowering,
    operations: recording.graph.size,
    run(inputs) {
      const given = runNative(inputs);
      const isDonated = (i: number) => source.inputs[i]?.donated;
      const ids = inputs.map((tensor, i) => (isDonated(i) ? backend.detach(tensor) : -1));
      const kept = new Set(recording.places);
      const results = recording.places.map((place) =>
        backend.toTensor(place === undefined ? store.adopt(given.shift() ?? null, null) : (ids[place] ?? -1)),
      );
      ids.forEach((id, i) => {
        if (!kept.has(i)) store.remove(id);
      });
      return mapTree(recording.result, () => results.shift() as Tensor);
    },
    dispose() {
      native.remove();
      for (const id of recording.captured) store.remove(id);
    },
  };
}
