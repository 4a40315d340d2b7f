// The engine: TensorFlow's runtime (libtensorflow through its C API) behind tfjs-core, and jit.

import { EngineBackend } from './backend.ts';
import { createBinding } from './binding.ts';
import { jit } from './jit.ts';
import { registerKernels } from './kernels.ts';
import { loadLibrary } from './library.ts';
import { createRuntime, type Device } from './runtime.ts';
import { tf } from './tfjs.ts';

export interface EngineOptions {
  /** The folder with libtensorflow_cc and libtensorflow_framework. */
  readonly libraryDir: string;
  /** `cuda` needs the GPU build of libtensorflow, and is unverified. */
  readonly device?: Device;
  /** Threads one operation may use; every core where absent. The first engine of a process decides. */
  readonly threads?: number;
  /** A folder in which XLA keeps compiled programs for the next process; none where absent. */
  readonly compileCacheDir?: string;
}

export interface Engine {
  /** tfjs-core, with this engine as its backend. */
  readonly tf: typeof tf;
  readonly jit: typeof jit;
  readonly device: Device;
  /** TensorFlow's version. */
  readonly version: string;
  /** Live tensors, native handles (results, captured tensors, constants) and their bytes. */
  memory(): { tensors: number; handles: number; bytes: number };
}

let opened: Engine | undefined;

/** Opens the engine of this thread. A second call gives the same one, whatever its options. */
export function openEngine(options: EngineOptions): Engine {
  opened ??= open(options);
  return opened;
}

function open({ libraryDir, device = 'cpu', threads, compileCacheDir }: EngineOptions): Engine {
  const c = loadLibrary(libraryDir, toEnvironment(compileCacheDir));
  const binding = createBinding(createRuntime(c, { device, threads }), device);
  registerKernels();
  tf.registerBackend('tensorflow', () => new EngineBackend(binding));
  void tf.setBackend('tensorflow'); // settled at once: the backend is made synchronously
  return {
    tf,
    jit,
    device,
    version: c.TF_Version(),
    memory: () => ({ ...binding.store.count(), tensors: tf.memory().numTensors }),
  };
}

/** What TensorFlow reads from the environment, decided here and nowhere else. */
function toEnvironment(compileCacheDir: string | undefined): Record<string, string> {
  // TensorFlow's own allocator, because glibc (2.36) hardly reuses aligned blocks: a step's results and scratch
  // memory, freed and asked for again, made a process grow by a megabyte a step.
  // Its oneDNN kernels are off: XLA has its own, and eager results are then the same on every processor. Log level 3 is
  // fatal errors alone: what goes wrong comes as a status too, and a program taken from the cache logs false alarms.
  const defaults = { TF_CPP_MIN_LOG_LEVEL: '3', TF_CPU_ALLOCATOR_USE_BFC: '1', TF_ENABLE_ONEDNN_OPTS: '0' };
  if (compileCacheDir === undefined) return defaults;
  if (/[\s"']/.test(compileCacheDir)) {
    throw new RangeError(`compileCacheDir: TensorFlow cannot take a path with blanks or quotes: ${compileCacheDir}`);
  }
  const flags = [`directory=${compileCacheDir}`, 'prefix=strata'].map((flag) => `--tf_xla_persistent_cache_${flag}`);
  return { ...defaults, TF_XLA_FLAGS: flags.join(' ') };
}
