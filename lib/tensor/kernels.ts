// Kernels of tfjs-node that are replaced, because they read values back into JavaScript: that stalls a device, and
// cannot be recorded by jit.
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs-core';
import type { EngineBackend } from './backend.ts';

const gather: tf.KernelFunc = ({ inputs, attrs, backend }) => {
  const { x, indices } = inputs as unknown as Record<'x' | 'indices', tf.TensorInfo>;
  const { axis, batchDims } = attrs as unknown as tf.GatherV2Attrs;
  const engine = backend as EngineBackend;
  const axisTensor = tf.scalar(axis, 'int32');
  const [result] = engine.runOp('GatherV2', [x, indices, axisTensor], {
    batch_dims: batchDims,
    Tparams: engine.typeCode(x.dtype),
    Tindices: engine.typeCode(indices.dtype),
    Taxis: engine.typeCode('int32'),
  });
  axisTensor.dispose();
  return result as tf.Tensor;
};

const replaced: Readonly<Record<string, tf.KernelFunc>> = { [tf.GatherV2]: gather };

/** Registers tfjs-node's kernels for the backend `tensorflow`, with those above in place of its own. */
export function registerKernels(): void {
  createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu/dist/register_all_kernels.js');
  for (const [kernelName, kernelFunc] of Object.entries(replaced)) {
    tf.unregisterKernel(kernelName, 'tensorflow');
    tf.registerKernel({ kernelName, backendName: 'tensorflow', kernelFunc });
  }
}
