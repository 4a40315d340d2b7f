// A recording: while a function given to jit runs, its operations become nodes of a TF_Graph instead of being
// computed. Tensors made meanwhile become Const nodes, tensors from outside become inputs ("captures").
import { createHash } from 'node:crypto';
import koffi from 'koffi';
import { encodeAttr } from './attrs.ts';
import type { GraphOutput, Pointer } from './capi.ts';
import { dtypeOfCode, dtypes } from './dtypes.ts';
import { TraceError } from './errors.ts';
import { groupInputs, isInferred, type OpAttr, type OpDef } from './op-defs.ts';
import type { Runtime } from './runtime.ts';
import type { TensorSpec, TensorStore } from './tensor-store.ts';

export interface Trace {
  /** Number of operations recorded so far. */
  readonly size: number;
  /** Ids of the outer tensors the function used, in the order of the function's extra inputs. */
  readonly captures: ReadonlyMap<number, GraphOutput>;
  /** An input of the function. */
  addInput(spec: TensorSpec): number;
  addOp(def: OpDef, attrs: readonly OpAttr[], ids: readonly number[], outputs: number): number[];
  /** The node output behind a tensor: its own, a Const, or a captured input. */
  outputOf(id: number): GraphOutput;
  readonly graph: Pointer;
  /** Of all that was recorded so far: the same in every process, unlike a serialized graph, whose attributes have no order. */
  digest(): string;
  /** Frees the graph; tensors of this trace cannot be used any more. */
  end(): void;
}

export function createTrace(runtime: Runtime, store: TensorStore): Trace {
  const { c, status, check } = runtime;
  const graph = c.TF_NewGraph();
  const captures = new Map<number, GraphOutput>();
  const constants = new Map<number, GraphOutput>();
  let size = 0;
  let ended = false;
  const recorded = createHash('sha256');
  const numbers = new Map<Pointer, number>(); // of finished nodes, in the order of recording
  const note = (text: string) => recorded.update(`${text};`);

  const begin = (op: string) => {
    note(op);
    return c.TF_NewOperation(graph, op, `${op}_${size++}`);
  };
  const setAttr = (node: Pointer, type: string, name: string, value: unknown) => {
    const bytes = encodeAttr(type, value);
    note(name);
    recorded.update(bytes);
    c.TF_SetAttrValueProto(node, name, bytes, bytes.length, status);
    check(`attribute ${name}`);
  };
  const finish = (node: Pointer, what: () => string): Pointer => {
    const oper = c.TF_FinishOperation(node, status);
    if (c.TF_GetCode(status) !== 0) check(what());
    numbers.set(oper, size);
    return oper;
  };
  const noteInput = ({ oper, index }: GraphOutput) => note(`${numbers.get(oper)}:${index}`);
  const placeholder = ({ dtype, shape }: TensorSpec): GraphOutput => {
    const node = begin('Placeholder');
    setAttr(node, 'type', 'dtype', dtypes[dtype].code);
    setAttr(node, 'shape', 'shape', shape);
    return { oper: finish(node, () => 'input of a jit function'), index: 0 };
  };
  const constant = (handle: Pointer, { dtype, shape }: TensorSpec): GraphOutput => {
    const tensor = c.TFE_TensorHandleResolve(handle, status);
    check('constant in a jit function');
    const node = begin('Const');
    c.TF_SetAttrTensor(node, 'value', tensor, status);
    if (dtype !== 'string') recorded.update(bytesOf(c, tensor));
    setAttr(node, 'type', 'dtype', dtypes[dtype].code);
    c.TF_DeleteTensor(tensor);
    return { oper: finish(node, () => `constant ${dtype} [${shape}]`), index: 0 };
  };

  const outputOf = (id: number): GraphOutput => {
    const tensor = store.get(id);
    if (tensor.kind === 'node') {
      if (tensor.trace !== trace) throw new TraceError(foreign(tensor));
      return tensor.output;
    }
    const [known, make] =
      tensor.bornIn === trace
        ? [constants, () => constant(tensor.handle, tensor)]
        : [captures, () => placeholder(tensor)];
    const output = known.get(id) ?? make();
    known.set(id, output);
    return output;
  };
  const describe = (def: OpDef, ids: readonly number[]) =>
    `${def.name}(${ids.map((id) => `${store.get(id).dtype} [${store.get(id).shape}]`).join(', ')})`;

  const trace: Trace = {
    get size() {
      return size;
    },
    captures,
    graph,
    outputOf,
    addInput: (spec) => store.add({ kind: 'node', trace, output: placeholder(spec), ...spec }),
    addOp(def, attrs, ids, outputs) {
      const inputs = groupInputs(def, attrs, ids.map(outputOf));
      const node = begin(def.name);
      for (const input of inputs) {
        if (Array.isArray(input)) input.forEach(noteInput);
        else noteInput(input);
        if (Array.isArray(input)) c.TF_AddInputList(node, input, input.length);
        else c.TF_AddInput(node, input);
      }
      for (const { name, value } of attrs) {
        if (!isInferred(def, name)) setAttr(node, typeOfAttr(def, name), name, value);
      }
      const oper = finish(node, () => describe(def, ids));
      return Array.from({ length: outputs }, (_, index) => {
        const output = { oper, index };
        return store.add({ kind: 'node', trace, output, ...describeOutput(runtime, graph, output, def.name) });
      });
    },
    digest: () => recorded.copy().digest('hex').slice(0, 32),
    end() {
      if (!ended) c.TF_DeleteGraph(graph);
      ended = true;
    },
  };
  return trace;
}

const bytesOf = (c: Runtime['c'], tensor: Pointer): Uint8Array =>
  new Uint8Array(koffi.view(c.TF_TensorData(tensor), Number(c.TF_TensorByteSize(tensor))));

export function typeOfAttr(def: OpDef, name: string): string {
  const type = def.attrs.get(name);
  if (!type) throw new RangeError(`${def.name} has no attribute ${name}, only ${[...def.attrs.keys()].join(', ')}`);
  return type;
}

function describeOutput({ c, status, check }: Runtime, graph: Pointer, output: GraphOutput, op: string): TensorSpec {
  const dtype = dtypeOfCode(c.TF_OperationOutputType(output));
  const rank = c.TF_GraphGetTensorNumDims(graph, output, status);
  check(`shape of ${op}`);
  const dims = new BigInt64Array(Math.max(rank, 0));
  if (rank > 0) c.TF_GraphGetTensorShape(graph, output, dims, rank, status);
  check(`shape of ${op}`);
  const shape = Array.from(dims, Number);
  if (dtype !== 'resource' && (rank < 0 || shape.some((dim) => dim < 0))) {
    throw new TraceError(`the shape of ${op}'s result depends on values, so jit cannot record it; run it outside jit`);
  }
  return { dtype, shape };
}

const foreign = ({ dtype, shape }: TensorSpec) =>
  `${dtype} [${shape}] was left over from an earlier recording of a jit function: return it there instead of keeping it`;
