// The tfjs backend named 'tensorflow': tfjs-node's own, on our binding, with the few differences that recording needs.
import './tfjs.ts';
import type { DataId, DataStorage, DataType, KernelBackend, Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { NodeJSKernelBackend as PublishedBackend } from '@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js';
import type { TensorMetadata } from '@tensorflow/tfjs-node-gpu/dist/tfjs_binding.js';
import type { Binding } from './binding.ts';
import { dtypes, type EngineDType } from './dtypes.ts';
import type { OpAttr } from './op-defs.ts';
import type { TensorValues } from './tensor-bytes.ts';

/** What the published class has; its declaration hides the members that a subclass needs. */
interface NodeBackend extends KernelBackend {
  readonly tensorMap: DataStorage<TensorData>;
  getDTypeInteger(dtype: DataType): number;
  createOutputTensor(metadata: TensorMetadata): Tensor;
  getInputTensorIds(tensors: readonly TensorInfo[]): number[];
}

interface TensorData {
  readonly shape: number[];
  readonly dtype: number;
  readonly id: number;
  readonly values: null;
  refCount: number;
}

const NodeBackend = PublishedBackend as unknown as new (binding: Binding, packageName: string) => NodeBackend;

/** dtypes that tfjs does not have arrive as the one it uses in their place. */
const castTo: Partial<Record<number, EngineDType>> = { [dtypes.int64.code]: 'int32', [dtypes.uint8.code]: 'int32' };

export class EngineBackend extends NodeBackend {
  readonly engineBinding: Binding;

  constructor(binding: Binding) {
    super(binding, '@tensorflow/tfjs-node-gpu');
    this.engineBinding = binding;
  }

  /** Writes at once: a value written during a recording is a constant of it, one written before is an input. */
  override move(dataId: DataId, values: TensorValues | null, shape: number[], dtype: DataType, refCount: number): void {
    const code = this.getDTypeInteger(dtype);
    const id = values === null ? -1 : this.engineBinding.createTensor(shape, code, values as Float32Array);
    this.tensorMap.set(dataId, { shape, dtype: code, id, values: null, refCount });
  }

  override createOutputTensor(metadata: TensorMetadata): Tensor {
    const target = castTo[metadata.dtype];
    if (!target) return super.createOutputTensor(metadata);
    const attrs = [
      { name: 'SrcT', value: metadata.dtype },
      { name: 'DstT', value: dtypes[target].code },
    ];
    const [id = -1] = this.engineBinding.run('Cast', attrs, [metadata.id]);
    this.engineBinding.deleteTensor(metadata.id);
    return super.createOutputTensor({ id, shape: metadata.shape, dtype: dtypes[target].code });
  }

  /** Any TensorFlow operation by name, over tfjs tensors. Type attributes are given as `typeCode(tensor)`. */
  runOp(op: string, inputs: readonly TensorInfo[], attrs: Readonly<Record<string, unknown>> = {}): Tensor[] {
    const list: OpAttr[] = Object.entries(attrs).map(([name, value]) => ({ name, value }));
    return this.engineBinding.run(op, list, this.getInputTensorIds(inputs)).map((id) => this.toTensor(id));
  }

  toTensor(id: number): Tensor {
    const { dtype, shape } = this.engineBinding.store.get(id);
    return this.createOutputTensor({ id, shape: [...shape], dtype: dtypes[dtype].code });
  }

  /** Disposes a tensor but not what the engine holds for it, whose number it gives. */
  detach(tensor: Tensor): number {
    const data = this.tensorMap.get(tensor.dataId);
    const { id } = data;
    this.tensorMap.set(tensor.dataId, { ...data, id: -1 });
    tensor.dispose();
    return id;
  }

  typeCode(dtype: DataType): number {
    return this.getDTypeInteger(dtype);
  }

  override memory() {
    return { unreliable: false, ...this.engineBinding.store.count() };
  }
}

/** The backend in use. tfjs keeps one per thread, as does the engine. */
export function currentBackend(): EngineBackend {
  const backend = tf.findBackend('tensorflow');
  if (backend instanceof EngineBackend) return backend;
  throw new Error('the tensor engine is not open: call openEngine first');
}
