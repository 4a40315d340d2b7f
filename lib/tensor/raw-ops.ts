// TensorFlow operations that tfjs has no name for.
import type { Tensor } from '@tensorflow/tfjs-core';
import { currentBackend } from './backend.ts';

/**
 * The same tensors, but XLA may not merge what is computed from them with what was computed before: it makes a value
 * that is cheap to compute again be computed again instead of kept. Nothing outside of an XLA recording.
 */
export function barrier<T extends readonly Tensor[]>(...tensors: T): T {
  const backend = currentBackend();
  if (backend.engineBinding.trace?.lowering !== 'xla') return tensors;
  const types = tensors.map(({ dtype }) => backend.typeCode(dtype));
  return backend.runOp('XlaOptimizationBarrier', tensors, { T: types }) as unknown as T;
}
