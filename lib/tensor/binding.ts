// The native half of tfjs-node, in TypeScript: the TFJSBinding that NodeJSKernelBackend and its kernels call, over
// TensorFlow's eager C API, or into the trace that jit is recording.
import type { TFEOpAttr, TFJSBinding } from '@tensorflow/tfjs-node-gpu/dist/tfjs_binding.js';
import { encodeAttr } from './attrs.ts';
import { dtypeOfCode, dtypes } from './dtypes.ts';
import { execute } from './execute.ts';
import { countOutputs, createOpDefs, type OpAttr, type OpDef } from './op-defs.ts';
import type { Device, Runtime } from './runtime.ts';
import type { TensorValues } from './tensor-bytes.ts';
import { createTensorStore, type TensorStore } from './tensor-store.ts';
import { createTrace, describeCall, type Lowering, type Trace, typeOfAttr } from './trace.ts';

export interface Binding extends TFJSBinding {
  readonly runtime: Runtime;
  readonly store: TensorStore;
  /** The trace being recorded, or null: operations run. */
  readonly trace: Trace | null;
  opDef(name: string): OpDef;
  /** Runs or records an operation; the number of outputs comes from its definition where it is not given. */
  run(op: string, attrs: readonly OpAttr[], ids: readonly number[], outputs?: number): number[];
  /** Records what `body` does. The caller disposes the graph. */
  record<T>(lowering: Lowering, body: (trace: Trace) => T): T;
}

class TensorMetadata {
  id = 0;
  shape: number[] = [];
  dtype = 0;
}

class OpAttribute {
  name = '';
  type = 0;
  value: boolean | number | object | string | number[] = 0;
}

/** The numbers tfjs-node's kernels tag attributes with. What counts here is the type in the operation's definition. */
const constants = {
  TF_FLOAT: dtypes.float32.code,
  TF_INT32: dtypes.int32.code,
  TF_INT64: dtypes.int64.code,
  TF_BOOL: dtypes.bool.code,
  TF_COMPLEX64: dtypes.complex64.code,
  TF_STRING: dtypes.string.code,
  TF_RESOURCE: dtypes.resource.code,
  TF_UINT8: dtypes.uint8.code,
  TF_ATTR_STRING: 0,
  TF_ATTR_INT: 1,
  TF_ATTR_FLOAT: 2,
  TF_ATTR_BOOL: 3,
  TF_ATTR_TYPE: 4,
  TF_ATTR_SHAPE: 5,
  TF_ATTR_RESOURCE: 6,
  TensorMetadata,
  TFEOpAttr: OpAttribute,
};

const noSavedModels = (): never => {
  throw new Error("TensorFlow SavedModels are not read by this engine: import a model's weights instead");
};

export function createBinding(runtime: Runtime, device: Device): Binding {
  const store = createTensorStore(runtime);
  const opDef = createOpDefs(runtime);
  let trace: Trace | null = null;

  const describe = (id: number) => {
    const { dtype, shape } = store.get(id);
    return { id, dtype: dtypes[dtype].code, shape: [...shape] };
  };
  const runNow = (def: OpDef, attrs: readonly OpAttr[], ids: readonly number[], outputs: number) => {
    const encoded = attrs.map(({ name, value }) => ({ name, bytes: encodeAttr(typeOfAttr(def, name), value) }));
    const describe = () => describeCall(def, ids.map(store.get));
    return store
      .withHandles(ids, (inputs) => execute(runtime, def.name, { attrs: encoded, inputs, outputs, describe }))
      .map((handle) => store.adopt(handle, null));
  };
  const run: Binding['run'] = (op, attrs, ids, outputs) => {
    const def = opDef(op);
    const count = outputs ?? countOutputs(def, attrs);
    return trace ? trace.addOp(def, attrs, ids, count) : runNow(def, attrs, ids, count);
  };

  return {
    ...constants,
    TF_Version: runtime.c.TF_Version(),
    runtime,
    store,
    opDef,
    run,
    get trace() {
      return trace;
    },
    record(lowering, body) {
      const recording = createTrace(runtime, store, lowering);
      trace = recording;
      try {
        return body(recording);
      } catch (error) {
        recording.graph.dispose();
        throw error;
      } finally {
        trace = null;
      }
    },
    createTensor: (shape, code, values) =>
      store.create({ dtype: dtypeOfCode(code), shape: [...shape] }, values as TensorValues, trace),
    deleteTensor: (id) => store.remove(id),
    tensorDataSync: (id) => store.read(id) as Float32Array,
    executeOp: (op: string, attrs: TFEOpAttr[], ids: number[], outputs: number) =>
      run(op, attrs, ids, outputs).map(describe),
    getNumOfTensors: () => store.count().handles,
    isUsingGpuDevice: () => device === 'cuda',
    getNumOfSavedModels: () => 0,
    loadSavedModel: noSavedModels,
    deleteSavedModel: noSavedModels,
    runSavedModel: noSavedModels,
  };
}
