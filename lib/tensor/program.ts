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
  return {
    lowering,
    operations: recording.graph.size,
    run(inputs) {
      const ids = [...backend.getInputTensorIds(inputs), ...recording.captured];
      const results = native.run(ids.map(store.handleOf)).map((handle) => backend.toTensor(store.adopt(handle, null)));
      return mapTree(recording.result, () => results.shift() as Tensor);
    },
    dispose() {
      native.remove();
      for (const id of recording.captured) store.remove(id);
    },
  };
}
