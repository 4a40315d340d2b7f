// Sessions made from graphs, and bindings whose inputs and outputs are our own typed arrays: a run reads and writes them in place.
import { basename, dirname } from 'node:path';
import koffi from 'koffi';
import {
  type ElementType,
  type ExternalData,
  elementTypes,
  encodeModel,
  type Initializer,
  type OnnxGraph,
} from './onnx.ts';
import { check, create, type Ort } from './ort.ts';
import type { OrtApi, Pointer } from './ort-api.ts';

const arrays = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array } as const;

export interface Tensor<T extends ElementType = ElementType> {
  readonly type: T;
  readonly shape: readonly number[];
  readonly data: InstanceType<(typeof arrays)[T]>;
}

/** Zeros in memory that never moves (V8 keeps small typed arrays on its heap unless their buffer was there first). */
export function createTensor<T extends ElementType>(type: T, shape: readonly number[]): Tensor<T> {
  const size = shape.reduce((product, side) => product * side, 1);
  const data = new arrays[type](new ArrayBuffer(size * arrays[type].BYTES_PER_ELEMENT));
  return { type, shape, data: data as Tensor<T>['data'] };
}

export interface SessionOptions {
  /** Threads that one run may use; every core where absent. */
  readonly threads?: number | undefined;
}

/** A loaded graph. */
export class Session implements Disposable {
  readonly #ort: Ort;
  #handle: Pointer;

  /** Constants in memory are copied; those in a file are mapped. Throws OrtError where the graph makes no sense. */
  constructor(ort: Ort, graph: OnnxGraph, options: SessionOptions = {}) {
    this.#ort = ort;
    this.#handle = createSession(ort, graph, options);
  }

  bind(): Binding {
    return new Binding(this.#ort, this.#handle);
  }

  [Symbol.dispose](): void {
    if (this.#handle !== null) this.#ort.api.ReleaseSession(this.#handle);
    this.#handle = null;
  }
}

function createSession({ api, env }: Ort, graph: OnnxGraph, { threads = 0 }: SessionOptions): Pointer {
  const options = create(api, (out) => api.CreateSessionOptions(out));
  try {
    check(api, api.SetIntraOpNumThreads(options, threads));
    check(api, api.AddSessionConfigEntry(options, 'session.intra_op.spin_duration_us', spinMicroseconds));
    if (graph.file) check(api, api.AddSessionConfigEntry(options, folderKey, dirname(graph.file)));
    else giveTensors(api, options, graph.initializers);
    const model = encodeModel(graph, (name, tensor) => locate(graph, name, tensor));
    return create(api, (out) => api.CreateSessionFromArray(env, model, model.length, options, out));
  } finally {
    api.ReleaseSessionOptions(options);
  }
}

/**
 * How long a thread that waits for its share of work keeps its core. Enough between two operators of a step; without a limit, on cores
 * that others use as well, a step takes half as long again.
 */
const spinMicroseconds = '50';

const folderKey = 'session.model_external_initializers_file_folder_path';

/** In memory, every tensor is a file of its own to ONNX Runtime, called as the tensor is. It knows either such files or real ones. */
function locate({ file }: OnnxGraph, name: string, tensor: Initializer): ExternalData | undefined {
  if ('offset' in tensor) return { location: basename(file ?? ''), offset: tensor.offset };
  return file ? undefined : { location: name, offset: 0 };
}

function giveTensors(api: OrtApi, options: Pointer, initializers: ReadonlyMap<string, Initializer>): void {
  const inMemory = [...initializers].flatMap(([name, tensor]) => ('data' in tensor ? [{ name, ...tensor }] : []));
  const names = inMemory.map(({ name }) => name);
  const addresses = inMemory.map(({ data }) => koffi.address(data));
  const sizes = BigUint64Array.from(inMemory, ({ data }) => BigInt(data.byteLength));
  check(api, api.AddExternalInitializersFromFilesInMemory(options, names, addresses, sizes, names.length));
}

/** Inputs and outputs of a session by name. Binding a name anew replaces what it was bound to. */
export class Binding implements Disposable {
  readonly #ort: Ort;
  readonly #session: Pointer;
  /** Keeps alive what the native side points into. */
  readonly #bound = new Map<string, Tensor>();
  #handle: Pointer;

  constructor(ort: Ort, session: Pointer) {
    this.#ort = ort;
    this.#session = session;
    this.#handle = create(ort.api, (out) => ort.api.CreateIoBinding(session, out));
  }

  input(name: string, tensor: Tensor): void {
    this.#bind(name, tensor, this.#ort.api.BindInput);
  }

  output(name: string, tensor: Tensor): void {
    this.#bind(name, tensor, this.#ort.api.BindOutput);
  }

  /** Computes the outputs, on this thread. */
  run(): void {
    const { api, runOptions } = this.#ort;
    check(api, api.RunWithBinding(this.#session, runOptions, this.#handle));
  }

  [Symbol.dispose](): void {
    if (this.#handle !== null) this.#ort.api.ReleaseIoBinding(this.#handle);
    this.#handle = null;
    this.#bound.clear();
  }

  #bind(name: string, tensor: Tensor, bind: OrtApi['BindInput']): void {
    const { api, memoryInfo } = this.#ort;
    const { data, shape, type } = tensor;
    const sides = BigInt64Array.from(shape, BigInt);
    const size = data.byteLength;
    const value = create(api, (out) =>
      api.CreateTensorWithDataAsOrtValue(memoryInfo, data, size, sides, sides.length, elementTypes[type], out),
    );
    try {
      check(api, bind(this.#handle, name, value));
      this.#bound.set(name, tensor);
    } finally {
      api.ReleaseValue(value); // the binding holds a reference of its own
    }
  }
}
