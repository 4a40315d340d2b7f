// A TF_Graph under construction, and a digest of everything put into it: the same recording has the same digest in
// every process. (The graph's own serialization does not: attributes lie in a hash map.)
import { createHash } from 'node:crypto';
import { encodeAttr } from './attrs.ts';
import type { GraphOutput, Pointer } from './capi.ts';
import { dtypeOfCode, type TensorSpec } from './dtypes.ts';
import { TraceError } from './errors.ts';
import type { Runtime } from './runtime.ts';
import type { ReadValues } from './tensor-bytes.ts';

export interface NodeAttr {
  readonly name: string;
  /** As in the operation's definition: `int`, `list(type)`, … */
  readonly type: string;
  readonly value: unknown;
}

export interface NodeSpec {
  readonly op: string;
  /** One entry an argument; a list argument is an array. */
  readonly inputs?: readonly (GraphOutput | readonly GraphOutput[])[];
  readonly attrs?: readonly NodeAttr[];
  /** The value of a Const, as TensorFlow has it and as JavaScript has it. */
  readonly tensor?: { readonly pointer: Pointer; readonly values: ReadValues };
  /** A node that has to run before this one, beside those that give its inputs. */
  readonly after?: Pointer;
}

export interface Graph {
  readonly pointer: Pointer;
  /** Number of nodes. */
  readonly size: number;
  /** Adds a node; an error of TensorFlow says `what` was being added. */
  add(spec: NodeSpec, what?: () => string): Pointer;
  describe(output: GraphOutput, op: string): TensorSpec;
  /** Says what shape an output has where TensorFlow cannot know. */
  setShape(output: GraphOutput, shape: readonly number[]): void;
  digest(): string;
  dispose(): void;
}

export function createGraph(runtime: Runtime): Graph {
  const { c, status, check } = runtime;
  const pointer = c.TF_NewGraph();
  const hash = createHash('sha256');
  const numbers = new Map<Pointer, number>(); // of nodes, in the order they were added
  let disposed = false;

  const addInput = (node: Pointer, input: GraphOutput | readonly GraphOutput[]) => {
    const list = 'oper' in input ? [input] : input;
    hash.update(list.map(({ oper, index }) => `${numbers.get(oper)}:${index}`).join());
    if ('oper' in input) c.TF_AddInput(node, input);
    else c.TF_AddInputList(node, input, input.length);
  };
  const setAttr = (node: Pointer, { name, type, value }: NodeAttr) => {
    const bytes = encodeAttr(type, value);
    hash.update(`;${name}=`).update(bytes);
    c.TF_SetAttrValueProto(node, name, bytes, bytes.length, status);
    check(`attribute ${name}`);
  };
  return {
    pointer,
    get size() {
      return numbers.size;
    },
    add({ op, inputs = [], attrs = [], tensor, after }, what = () => op) {
      hash.update(`\n${op}(`);
      const node = c.TF_NewOperation(pointer, op, `${op}_${numbers.size}`);
      for (const input of inputs) addInput(node, input);
      if (after) {
        hash.update(`;after ${numbers.get(after)}`);
        c.TF_AddControlInput(node, after);
      }
      if (tensor) {
        for (const part of Array.isArray(tensor.values) ? tensor.values : [tensor.values]) hash.update(part);
        c.TF_SetAttrTensor(node, 'value', tensor.pointer, status);
      }
      for (const attr of attrs) setAttr(node, attr);
      const finished = c.TF_FinishOperation(node, status);
      if (c.TF_GetCode(status) !== 0) check(what());
      numbers.set(finished, numbers.size);
      return finished;
    },
    describe: (output, op) => describeOutput(runtime, pointer, { output, op }),
    setShape(output, shape) {
      c.TF_GraphSetTensorShape(pointer, output, BigInt64Array.from(shape, BigInt), shape.length, status);
      check(`shape [${shape}]`);
    },
    digest: () => hash.copy().digest('hex').slice(0, 32),
    dispose() {
      if (!disposed) c.TF_DeleteGraph(pointer);
      disposed = true;
    },
  };
}

function describeOutput(
  { c, status, check }: Runtime,
  graph: Pointer,
  { output, op }: { output: GraphOutput; op: string },
): TensorSpec {
  const dtype = dtypeOfCode(c.TF_OperationOutputType(output));
  const rank = c.TF_GraphGetTensorNumDims(graph, output, status);
  check(`rank of ${op}`);
  const dims = new BigInt64Array(Math.max(rank, 0));
  if (rank > 0) c.TF_GraphGetTensorShape(graph, output, dims, rank, status);
  check(`shape of ${op}`);
  const shape = Array.from(dims, Number);
  if (dtype !== 'resource' && (rank < 0 || shape.some((dim) => dim < 0))) {
    throw new TraceError(
      `the shape of ${op}'s result depends on values, so jit cannot record it: run it outside of jit`,
    );
  }
  return { dtype, shape };
}
