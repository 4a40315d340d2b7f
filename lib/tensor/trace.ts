// A recording: while a function given to jit runs, its operations become nodes of a graph instead of being computed.
// Tensors made meanwhile become Const nodes, tensors from outside become inputs ("captures").
import type { GraphOutput, Pointer } from './capi.ts';
import { dtypes, sizeOfShape, type TensorSpec } from './dtypes.ts';
import { TraceError } from './errors.ts';
import { createGraph, type Graph } from './graph.ts';
import { groupInputs, isInferred, type OpAttr, type OpDef } from './op-defs.ts';
import type { Runtime } from './runtime.ts';
import { createTensor, deleteTensor, type ReadValues, readTensor } from './tensor-bytes.ts';
import type { StoredTensor, TensorStore } from './tensor-store.ts';

type StoredValue = Extract<StoredTensor, { kind: 'value' }>;

export type Lowering = 'xla' | 'graph';

export interface Trace {
  /** What will run the recording. */
  readonly lowering: Lowering;
  readonly graph: Graph;
  /** Outer tensors that the function used, by id, in the order of the function's extra inputs. */
  readonly captures: ReadonlyMap<number, GraphOutput>;
  /** An input of the function. */
  addInput(spec: TensorSpec): number;
  /** An input whose memory the function may overwrite. */
  addVariable(spec: TensorSpec): TracedVariable;
  /** Overwrites it, when the function has read it. */
  assign(variable: TracedVariable, value: GraphOutput): void;
  addOp(def: OpDef, attrs: readonly OpAttr[], ids: readonly number[], outputs: number): number[];
  /** The node output behind a tensor: its own, a constant, or a captured input. */
  outputOf(id: number): GraphOutput;
}

export interface TracedVariable extends TensorSpec {
  /** Of the value that was read. */
  readonly id: number;
  readonly resource: GraphOutput;
  readonly read: Pointer;
}

export function createTrace(runtime: Runtime, store: TensorStore, lowering: Lowering): Trace {
  const graph = createGraph(runtime);
  const captures = new Map<number, GraphOutput>();
  const constants = new Map<number, GraphOutput>();

  const placeholder = ({ dtype, shape }: TensorSpec): GraphOutput => {
    const attrs = [typeAttr('dtype', dtype), { name: 'shape', type: 'shape', value: shape }];
    return { oper: graph.add({ op: 'Placeholder', attrs }), index: 0 };
  };
  const outputOf = (id: number): GraphOutput => {
    const tensor = store.get(id);
    if (tensor.kind === 'node') {
      if (tensor.trace !== trace) throw new TraceError(foreign(tensor));
      return tensor.output;
    }
    const constant = tensor.kind === 'value' && tensor.bornIn === trace ? tensor : undefined;
    const known = constant ? constants : captures;
    const output = known.get(id) ?? (constant ? addConstant(runtime, graph, constant) : placeholder(tensor));
    known.set(id, output);
    return output;
  };
  const trace: Trace = {
    lowering,
    graph,
    captures,
    outputOf,
    addInput: (spec) => store.add({ kind: 'node', trace, output: placeholder(spec), ...spec }),
    addVariable(spec) {
      const resource = placeholder({ dtype: 'resource', shape: [] });
      const read = graph.add({ op: 'ReadVariableOp', inputs: [resource], attrs: [typeAttr('dtype', spec.dtype)] });
      const output = { oper: read, index: 0 };
      graph.setShape(output, spec.shape);
      return { id: store.add({ kind: 'node', trace, output, ...spec }), resource, read, ...spec };
    },
    assign({ resource, read, dtype }, value) {
      const attrs = [typeAttr('dtype', dtype)];
      graph.add({ op: 'AssignVariableOp', inputs: [resource, value], attrs, after: read });
    },
    addOp(def, attrs, ids, outputs) {
      const inputs = groupInputs(def, attrs, ids.map(outputOf));
      const explicit = attrs.filter(({ name }) => !isInferred(def, name));
      const typed = explicit.map(({ name, value }) => ({ name, type: typeOfAttr(def, name), value }));
      const oper = graph.add({ op: def.name, inputs, attrs: typed }, () => describeCall(def, ids.map(store.get)));
      return Array.from({ length: outputs }, (_, index) => {
        const output = { oper, index };
        return store.add({ kind: 'node', trace, output, ...graph.describe(output, def.name) });
      });
    },
  };
  return trace;
}

const typeAttr = (name: string, dtype: TensorSpec['dtype']) => ({ name, type: 'type', value: dtypes[dtype].code });

/** Constants with at least this many elements, all the same, are recorded as a Fill: tfjs's gradients make many. */
const fillSize = 64;

function addConstant(runtime: Runtime, graph: Graph, { handle, dtype, shape }: StoredValue): GraphOutput {
  const { c, status, check } = runtime;
  const tensor = c.TFE_TensorHandleResolve(handle, status);
  check('constant in a jit function');
  const values = readTensor(runtime, tensor, dtype, sizeOfShape(shape));
  c.TF_DeleteTensor(tensor);
  const addConst = (spec: TensorSpec, of: ReadValues) => addValues(runtime, graph, { spec, values: of });
  if (Array.isArray(values) || values.length < fillSize || !isUniform(values))
    return addConst({ dtype, shape }, values);
  const dims = addConst({ dtype: 'int32', shape: [shape.length] }, Int32Array.from(shape));
  const value = addConst({ dtype, shape: [] }, values.slice(0, values.length / sizeOfShape(shape)));
  const attrs = [typeAttr('T', dtype), typeAttr('index_type', 'int32')];
  return { oper: graph.add({ op: 'Fill', inputs: [dims, value], attrs }), index: 0 };
}

/** Whether every element has the bytes of the first: compares the values with themselves, one element later. */
function isUniform(values: Exclude<ReadValues, Uint8Array[]>): boolean {
  const { buffer, byteLength, BYTES_PER_ELEMENT } = values;
  const bytes = Buffer.from(buffer, values.byteOffset, byteLength);
  return bytes.subarray(BYTES_PER_ELEMENT).equals(bytes.subarray(0, -BYTES_PER_ELEMENT));
}

function addValues(
  runtime: Runtime,
  graph: Graph,
  { spec, values }: { spec: TensorSpec; values: ReadValues },
): GraphOutput {
  const { dtype, shape } = spec;
  const tensor = createTensor(runtime, dtype, shape, values);
  try {
    const attrs = [typeAttr('dtype', dtype)];
    return {
      oper: graph.add({ op: 'Const', attrs, tensor: { pointer: tensor, values } }, () => `constant ${specText(spec)}`),
      index: 0,
    };
  } finally {
    deleteTensor(runtime, tensor, dtype, sizeOfShape(shape));
  }
}

export function typeOfAttr(def: OpDef, name: string): string {
  const type = def.attrs.get(name);
  if (!type) throw new RangeError(`${def.name} has no attribute ${name}, only ${[...def.attrs.keys()].join(', ')}`);
  return type;
}

/** `MatMul(float32 [2,3], float32 [4,5])`, for errors. */
export const describeCall = (def: OpDef, inputs: readonly TensorSpec[]): string =>
  `${def.name}(${inputs.map(specText).join(', ')})`;

const specText = ({ dtype, shape }: TensorSpec) => `${dtype} [${shape}]`;

const foreign = (spec: TensorSpec) =>
  `${specText(spec)} was left over from an earlier recording of a jit function: return it there instead of keeping it`;
