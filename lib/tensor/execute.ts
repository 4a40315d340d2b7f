// Runs one TensorFlow operation, or a function that was added to the context, now.
import type { Pointer } from './capi.ts';
import type { Runtime } from './runtime.ts';

export interface EncodedAttr {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface Execution {
  readonly attrs: readonly EncodedAttr[];
  readonly inputs: readonly Pointer[];
  /** How many results to expect. */
  readonly outputs: number;
  /** What an error says was being run; the name where absent. */
  readonly describe?: (() => string) | undefined;
}

/** Returns the handles of the results, which are the caller's to delete. */
export function execute({ c, context, status, check }: Runtime, name: string, execution: Execution): Pointer[] {
  const op = c.TFE_NewOp(context, name, status);
  check(name);
  try {
    for (const input of execution.inputs) c.TFE_OpAddInput(op, input, status);
    check(name);
    for (const { name: attr, bytes } of execution.attrs) {
      c.TFE_OpSetAttrValueProto(op, attr, bytes, bytes.length, status);
      check(`${name}: attribute ${attr}`);
    }
    const results: Pointer[] = new Array(execution.outputs).fill(null);
    const count = Int32Array.of(execution.outputs);
    c.TFE_Execute(op, results, count, status);
    if (c.TF_GetCode(status) !== 0) check(execution.describe?.() ?? name);
    return results.slice(0, count[0]);
  } finally {
    c.TFE_DeleteOp(op);
  }
}
