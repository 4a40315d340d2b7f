// ONNX Runtime: the shared library inside npm's onnxruntime-node, through its C API. (The package's own JavaScript API copies every
// output of every run, so a step would slow with the size of the cache.)
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import koffi from 'koffi';
import { apiVersion, bindOrtApi, type OrtApi, type Pointer } from './ort-api.ts';

/** ONNX Runtime is missing, cannot be loaded, or is not the library this code was written for. */
export class OrtLibraryError extends Error {
  override readonly name = 'OrtLibraryError';
}

/** ONNX Runtime refused a graph or an input. */
export class OrtError extends Error {
  override readonly name = 'OrtError';
}

export interface Ort {
  readonly api: OrtApi;
  readonly version: string;
  readonly env: Pointer;
  /** Says that tensors lie in ordinary memory. */
  readonly memoryInfo: Pointer;
  readonly runOptions: Pointer;
}

const platforms: Readonly<Record<string, { file: string; flags: number }>> = {
  linux: { file: 'libonnxruntime.so.1', flags: 0x2 | 0x1000 }, // NOW | NODELETE
  darwin: { file: 'libonnxruntime.1.dylib', flags: 0x2 | 0x80 },
};
const remedy = '`npm ci --ignore-scripts` installs it';

/** Where npm's onnxruntime-node keeps the library for this machine. */
export function ortLibraryPath(): string {
  const platform = platforms[process.platform];
  if (!platform) throw new OrtLibraryError(`ONNX Runtime is used on Linux and macOS, not on ${process.platform}`);
  const manifest = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  return join(dirname(manifest), 'bin', 'napi-v6', process.platform, process.arch, platform.file);
}

let opened: Ort | undefined;

/** Loads the library for good, once for this thread. Throws OrtLibraryError. */
export function openOrt(): Ort {
  opened ??= loadOrt(ortLibraryPath());
  return opened;
}

/** Loads the library at `file`. Throws OrtLibraryError. */
export function loadOrt(file: string): Ort {
  if (!existsSync(file)) throw new OrtLibraryError(`ONNX Runtime is not installed: no ${file}; ${remedy}`);
  silenceTelemetry();
  pinLibrary(file);
  const { struct, version } = findApi(file);
  const api = bindOrtApi(struct);
  const errorsOnly = 3;
  return {
    api,
    version,
    env: create(api, (out) => api.CreateEnv(errorsOnly, 'strata', out)),
    memoryInfo: create(api, (out) => api.CreateCpuMemoryInfo(0, 0, out)),
    runOptions: create(api, (out) => api.CreateRunOptions(out)),
  };
}

/**
 * Since 1.29 ONNX Runtime sends its maker events about models and devices, from Linux and macOS too, and keeps a database of them in the home
 * folder. What runs on a machine is its owner's business: it is told not to before it is loaded, in the process's real environment, which
 * `process.env` of a worker thread does not reach.
 */
function silenceTelemetry(): void {
  koffi.load(null).func('setenv', 'int', ['str', 'str', 'int'])('ORT_DISABLE_TELEMETRY', '1', 1);
}

/** koffi closes a library when the thread that opened it ends; ONNX Runtime does not outlive being unloaded. */
function pinLibrary(file: string): void {
  const libc = koffi.load(null);
  const dlopen = libc.func('dlopen', 'void *', ['str', 'int']);
  const dlerror = libc.func('dlerror', 'str', []);
  if (dlopen(file, platforms[process.platform]?.flags ?? 0x2) === null) {
    throw new OrtLibraryError(`ONNX Runtime cannot be loaded: ${dlerror()}; ${remedy}`);
  }
}

/** OrtApiBase: { OrtApi *GetApi(version), char *GetVersionString() }. */
function findApi(file: string): { struct: Pointer; version: string } {
  const library = koffi.load(file);
  const [getApi, getVersion] = koffi.decode(getApiBase(library, file), koffi.array('void *', 2));
  const version: string = koffi.call(getVersion, koffi.proto('str', []));
  const struct: Pointer = koffi.call(getApi, koffi.proto('void *', ['uint32_t']), apiVersion);
  if (struct !== null) return { struct, version };
  throw new OrtLibraryError(`${file} is ONNX Runtime ${version}, 1.${apiVersion} or newer is needed; ${remedy}`);
}

function getApiBase(library: ReturnType<typeof koffi.load>, file: string): Pointer {
  try {
    return library.func('OrtGetApiBase', 'void *', [])();
  } catch (cause) {
    throw new OrtLibraryError(`${file} is not ONNX Runtime; ${remedy}`, { cause });
  }
}

/** Throws what a status says, if it says anything. */
export function check({ GetErrorMessage, ReleaseStatus }: OrtApi, status: Pointer): void {
  if (status === null) return;
  const message = GetErrorMessage(status);
  ReleaseStatus(status);
  throw new OrtError(`ONNX Runtime: ${message}`);
}

/** The object that a function makes. */
export function create(api: OrtApi, call: (out: [Pointer]) => Pointer): Pointer {
  const out: [Pointer] = [null];
  check(api, call(out));
  return out[0];
}
