// Resource variables: memory that a compiled function may overwrite. XLA updates a variable in place where nobody else
// holds its buffer, which is what donated arguments of jit are for.
import { encodeAttr } from './attrs.ts';
import type { Pointer } from './capi.ts';
import { dtypes, type TensorSpec } from './dtypes.ts';
import { execute } from './execute.ts';
import type { Runtime } from './runtime.ts';

/** ResourceHandle::ANONYMOUS_NAME: a variable under this name dies with its last handle. */
const anonymous = 'cd2c89b7-88b7-44c8-ad83-06c2a9158347';

const dtypeAttr = ({ dtype }: TensorSpec) => ({ name: 'dtype', bytes: encodeAttr('type', dtypes[dtype].code) });

/** A handle of a new variable that holds the value, without a copy. The handle of the value stays the caller's. */
export function createVariable(runtime: Runtime, spec: TensorSpec, value: Pointer): Pointer {
  const attrs = [
    dtypeAttr(spec),
    { name: 'shape', bytes: encodeAttr('shape', spec.shape) },
    { name: 'shared_name', bytes: encodeAttr('string', anonymous) },
  ];
  const [variable = null] = execute(runtime, 'VarHandleOp', { attrs, inputs: [], outputs: 1 });
  execute(runtime, 'AssignVariableOp', { attrs: [dtypeAttr(spec)], inputs: [variable, value], outputs: 0 });
  return variable;
}

/** A handle of the variable's present value, which shares its memory; the caller deletes it. */
export function readVariable(runtime: Runtime, spec: TensorSpec, variable: Pointer): Pointer {
  const [value = null] = execute(runtime, 'ReadVariableOp', {
    attrs: [dtypeAttr(spec)],
    inputs: [variable],
    outputs: 1,
  });
  return value;
}
