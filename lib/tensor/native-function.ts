// A recording as a function of the TensorFlow context, which runs like any operation.
import type { Pointer } from './capi.ts';
import { execute } from './execute.ts';
import type { Recording } from './recording.ts';
import type { Runtime } from './runtime.ts';
import type { Lowering } from './trace.ts';
import { varintField } from './wire.ts';

export interface NativeFunction {
  /** Returns handles, which are the caller's. */
  run(inputs: readonly Pointer[]): Pointer[];
  remove(): void;
}

export function addFunction(runtime: Runtime, recording: Recording<unknown>, lowering: Lowering): NativeFunction {
  const { c, context, status, check } = runtime;
  const { graph, inputs, outputs } = recording;
  const name = claimName(graph.digest());
  const pointer = c.TF_GraphToFunction(
    ...([graph.pointer, name, 0, -1, null] as const),
    ...([inputs.length, inputs, outputs.length, outputs] as const),
    ...([null, null, null, status] as const),
  );
  check('jit: making a TensorFlow function');
  if (lowering === 'xla') {
    const yes = varintField(5, 1); // AttrValue.b
    c.TF_FunctionSetAttrValueProto(pointer, '_XlaMustCompile', yes, yes.length, status);
  }
  c.TFE_ContextAddFunction(context, pointer, status);
  c.TF_DeleteFunction(pointer);
  check('jit: adding the function');
  return {
    run: (handles) => execute(runtime, name, { attrs: [], inputs: handles, outputs: outputs.length }),
    remove() {
      c.TFE_ContextRemoveFunction(context, name, status);
      check('jit: removing the function');
      namesInUse.delete(name);
    },
  };
}

const namesInUse = new Set<string>();

/**
 * The name is a digest of the recording, because XLA's persistent cache finds a compiled program by its function's
 * name: it has to be the same in the next process. Equal recordings are numbered.
 */
function claimName(digest: string): string {
  for (let copy = 0; ; copy++) {
    const name = `jit_${digest}_${copy}`;
    if (namesInUse.has(name)) continue;
    namesInUse.add(name);
    return name;
  }
}
