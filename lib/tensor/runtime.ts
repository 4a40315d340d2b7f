// One TensorFlow context of this thread: the bound C API, the context that runs operations, and the status that
// every call reports into.
import koffi from 'koffi';
import type { CApi, Pointer } from './capi.ts';
import { TensorFlowError } from './errors.ts';
import { bytesField, message, varintField } from './wire.ts';

export type Device = 'cpu' | 'cuda';

export interface Runtime {
  readonly c: CApi;
  readonly context: Pointer;
  readonly status: Pointer;
  /** Throws what the last call put into `status`, `what` before it. */
  check(what: string): void;
}

export interface ContextOptions {
  readonly device: Device;
  /** Threads an operation may use; every core where absent. The process's first context decides for all of it. */
  readonly threads?: number | undefined;
}

/** tensorflow.ConfigProto: device_count = 1, intra_op_parallelism_threads = 2, inter_op_parallelism_threads = 5. */
function toConfigProto({ device, threads }: ContextOptions): Uint8Array {
  const noGpu = bytesField(1, message(bytesField(1, 'GPU'), varintField(2, 0)));
  const pools = threads ? [varintField(2, threads), varintField(5, threads)] : [];
  return message(...(device === 'cpu' ? [noGpu] : []), ...pools);
}

export function createRuntime(c: CApi, options: ContextOptions): Runtime {
  const status = c.TF_NewStatus();
  const check = (what: string) => {
    const code = c.TF_GetCode(status);
    if (code === 0) return;
    const error = new TensorFlowError(code, `${what}: ${c.TF_Message(status)}`);
    c.TF_SetStatus(status, 0, '');
    throw error;
  };
  const contextOptions = c.TFE_NewContextOptions();
  const config = toConfigProto(options);
  c.TFE_ContextOptionsSetConfig(contextOptions, config, config.length, status);
  check('context options');
  const context = c.TFE_NewContext(contextOptions, status);
  check('TensorFlow context');
  c.TFE_DeleteContextOptions(contextOptions);
  const runtime = { c, context, status, check };
  if (options.device === 'cuda') requireGpu(runtime);
  return runtime;
}

function requireGpu({ c, context, status, check }: Runtime): void {
  const devices = c.TFE_ContextListDevices(context, status);
  check('list of devices');
  const types = Array.from({ length: c.TF_DeviceListCount(devices) }, (_, i) =>
    c.TF_DeviceListType(devices, i, status),
  );
  c.TF_DeleteDeviceList(devices);
  if (types.includes('GPU')) return;
  throw new TensorFlowError(
    14, // UNAVAILABLE
    `device cuda: TensorFlow found only ${types.join(', ')}. It needs the GPU build of libtensorflow, and CUDA's libraries`,
  );
}

/** The bytes a TF_Buffer holds, copied. */
export function readBuffer(buffer: Pointer): Uint8Array {
  const [data = 0n, size = 0n] = new BigUint64Array(koffi.view(buffer, 16).slice(0));
  return new Uint8Array(koffi.view(data, Number(size)).slice(0));
}
