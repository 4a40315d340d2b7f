// Every tensor the engine holds, by number: a value, a variable that compiled functions update in place, or a place in
// the graph that is being traced.
import { encodeAttr } from './attrs.ts';
import type { GraphOutput, Pointer } from './capi.ts';
import { dtypeOfCode, dtypes, sizeOfShape, type TensorSpec } from './dtypes.ts';
import { TraceError } from './errors.ts';
import { execute } from './execute.ts';
import type { Runtime } from './runtime.ts';
import { createTensor, deleteTensor, type ReadValues, readTensor, type TensorValues } from './tensor-bytes.ts';
import { createVariable, readVariable } from './variables.ts';

/** A recording (trace.ts). Here it is only told apart from others. */
export type AnyTrace = object;

export type StoredTensor = TensorSpec &
  (
    | { readonly kind: 'value'; readonly handle: Pointer; readonly bornIn: AnyTrace | null }
    | { readonly kind: 'variable'; readonly handle: Pointer }
    | { readonly kind: 'node'; readonly trace: AnyTrace; readonly output: GraphOutput }
  );

export interface TensorStore {
  add(tensor: StoredTensor): number;
  get(id: number): StoredTensor;
  create(spec: TensorSpec, values: TensorValues, bornIn: AnyTrace | null): number;
  /** Takes a handle that TensorFlow gave and that is now ours to delete. */
  adopt(handle: Pointer, bornIn: AnyTrace | null): number;
  /** A second tensor with the same value, which lives on when the first is removed. */
  share(id: number): number;
  read(id: number): ReadValues;
  /** Lends the native handles of tensors' values; a traced tensor is an error. */
  withHandles<T>(ids: readonly number[], body: (handles: readonly Pointer[]) => T): T;
  /** Makes the tensor a variable, if it is none yet, and gives that variable's handle. */
  toVariable(id: number): Pointer;
  remove(id: number): void;
  /** Live handles and the bytes behind them: what leaks when it grows. */
  count(): { tensors: number; handles: number; bytes: number };
}

const sizeBytes = ({ dtype, shape }: TensorSpec) => sizeOfShape(shape) * dtypes[dtype].size;

export function createTensorStore(runtime: Runtime): TensorStore {
  const { c, status, check } = runtime;
  const tensors = new Map<number, StoredTensor>();
  let lastId = 0;
  let handles = 0;
  let bytes = 0;

  const add = (tensor: StoredTensor) => {
    if (tensor.kind !== 'node') {
      handles++;
      bytes += sizeBytes(tensor);
    }
    tensors.set(++lastId, tensor);
    return lastId;
  };
  const get = (id: number) => {
    const tensor = tensors.get(id);
    if (!tensor) throw new RangeError(`tensor ${id} was disposed`);
    return tensor;
  };
  const withHandles: TensorStore['withHandles'] = (ids, body) => {
    const borrowed: Pointer[] = [];
    const lend = (id: number) => {
      const tensor = get(id);
      if (tensor.kind === 'node') throw unreadable(tensor);
      if (tensor.kind === 'value') return tensor.handle;
      const value = readVariable(runtime, tensor, tensor.handle);
      borrowed.push(value);
      return value;
    };
    try {
      return body(ids.map(lend));
    } finally {
      borrowed.forEach(c.TFE_DeleteTensorHandle);
    }
  };
  return {
    add,
    get,
    withHandles,
    create(spec, values, bornIn) {
      const tensor = createTensor(runtime, spec.dtype, spec.shape, values);
      const written = c.TFE_NewTensorHandle(tensor, status); // shares the tensor's memory
      check(`tensor ${spec.dtype} [${spec.shape}]`);
      const handle = spec.dtype === 'string' ? ownStrings(runtime, written) : written;
      deleteTensor(runtime, tensor, spec.dtype, sizeOfShape(spec.shape));
      return add({ kind: 'value', handle, bornIn, ...spec });
    },
    adopt: (handle, bornIn) => add({ kind: 'value', handle, bornIn, ...describeHandle(runtime, handle) }),
    share: (id) =>
      withHandles([id], ([handle = null]) => {
        const shared = c.TFE_TensorHandleCopySharingTensor(handle, status);
        check('sharing a tensor');
        return add({ kind: 'value', handle: shared, bornIn: null, ...describeHandle(runtime, shared) });
      }),
    toVariable(id) {
      const tensor = get(id);
      if (tensor.kind === 'node') throw unreadable(tensor);
      if (tensor.kind === 'variable') return tensor.handle;
      const handle = createVariable(runtime, tensor, tensor.handle);
      c.TFE_DeleteTensorHandle(tensor.handle);
      tensors.set(id, { kind: 'variable', handle, dtype: tensor.dtype, shape: tensor.shape });
      return handle;
    },
    read: (id) =>
      withHandles([id], ([handle = null]) => {
        const { dtype, shape } = get(id);
        const resolved = c.TFE_TensorHandleResolve(handle, status);
        check('reading a tensor');
        const values = readTensor(runtime, resolved, dtype, sizeOfShape(shape));
        c.TF_DeleteTensor(resolved); // shares its strings with the handle, which keeps them
        return values;
      }),
    remove(id) {
      const tensor = tensors.get(id);
      if (tensor && tensor.kind !== 'node') {
        c.TFE_DeleteTensorHandle(tensor.handle);
        handles--;
        bytes -= sizeBytes(tensor);
      }
      tensors.delete(id);
    },
    count: () => ({ tensors: tensors.size, handles, bytes }),
  };
}

/** Strings written through the C API are freed by nobody but us: a copy made by TensorFlow frees its own. */
function ownStrings(runtime: Runtime, written: Pointer): Pointer {
  const attrs = [{ name: 'T', bytes: encodeAttr('type', dtypes.string.code) }];
  const [copy = null] = execute(runtime, 'DeepCopy', { attrs, inputs: [written], outputs: 1 });
  runtime.c.TFE_DeleteTensorHandle(written);
  return copy;
}

function describeHandle({ c, status, check }: Runtime, handle: Pointer): TensorSpec {
  const dtype = dtypeOfCode(c.TFE_TensorHandleDataType(handle));
  if (dtype === 'resource') return { dtype, shape: [] };
  const rank = c.TFE_TensorHandleNumDims(handle, status);
  check('rank of a tensor');
  const shape = Array.from({ length: rank }, (_, axis) => Number(c.TFE_TensorHandleDim(handle, axis, status)));
  check('shape of a tensor');
  return { dtype, shape };
}

const unreadable = ({ dtype, shape }: TensorSpec) =>
  new TraceError(
    `${dtype} [${shape}] has no value yet: it belongs to a function that jit is recording. ` +
      'Return it from that function and read the result, or compute what you need from it with tensor operations',
  );
