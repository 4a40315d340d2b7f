// The part of TensorFlow's C API that the engine calls (tensorflow/c/c_api.h, tensorflow/c/eager/c_api.h and their
// experimental neighbours), as one table: result first, then the arguments. Types of the calls follow from it.
import koffi, { type LibraryHandle, type TypeObject } from 'koffi';

/** A C pointer. koffi gives them as bigint, NULL as null. */
export type Pointer = bigint | null;

/** TF_Output: one output of one node of a graph. */
export interface GraphOutput {
  readonly oper: Pointer;
  readonly index: number;
}

interface CTypes {
  void: undefined;
  ptr: Pointer;
  str: string;
  int: number;
  u8: number;
  size: number;
  i64: number | bigint;
  i64s: BigInt64Array | null;
  i32InOut: Int32Array;
  bytes: Uint8Array;
  ptrs: readonly Pointer[];
  ptrsInOut: Pointer[];
  output: GraphOutput;
  outputs: readonly GraphOutput[];
}

type TypeSpec = string | TypeObject | ReturnType<typeof koffi.inout>;
type Signature = readonly [keyof CTypes, ...(keyof CTypes)[]];
type Arguments<A extends readonly (keyof CTypes)[]> = { [I in keyof A]: CTypes[A[I]] };
type Call<S extends Signature> = S extends readonly [infer R extends keyof CTypes, ...infer A extends (keyof CTypes)[]]
  ? (...args: Arguments<A>) => CTypes[R]
  : never;

const table = {
  TF_Version: ['str'],
  TF_NewStatus: ['ptr'],
  TF_DeleteStatus: ['void', 'ptr'],
  TF_SetStatus: ['void', 'ptr', 'int', 'str'],
  TF_GetCode: ['int', 'ptr'],
  TF_Message: ['str', 'ptr'],

  TF_NewBuffer: ['ptr'],
  TF_DeleteBuffer: ['void', 'ptr'],

  TF_AllocateTensor: ['ptr', 'int', 'i64s', 'int', 'size'],
  TF_DeleteTensor: ['void', 'ptr'],
  TF_TensorData: ['ptr', 'ptr'],
  TF_TensorByteSize: ['size', 'ptr'],
  TF_StringInit: ['void', 'ptr'],
  TF_StringCopy: ['void', 'ptr', 'bytes', 'size'],
  TF_StringDealloc: ['void', 'ptr'],
  TF_StringGetDataPointer: ['ptr', 'ptr'],
  TF_StringGetSize: ['size', 'ptr'],

  TFE_NewContextOptions: ['ptr'],
  TFE_ContextOptionsSetConfig: ['void', 'ptr', 'bytes', 'size', 'ptr'],
  TFE_DeleteContextOptions: ['void', 'ptr'],
  TFE_NewContext: ['ptr', 'ptr', 'ptr'],
  TFE_DeleteContext: ['void', 'ptr'],
  TFE_ContextListDevices: ['ptr', 'ptr', 'ptr'],
  TF_DeviceListCount: ['int', 'ptr'],
  TF_DeviceListType: ['str', 'ptr', 'int', 'ptr'],
  TF_DeleteDeviceList: ['void', 'ptr'],
  TFE_ContextAddFunction: ['void', 'ptr', 'ptr', 'ptr'],
  TFE_ContextRemoveFunction: ['void', 'ptr', 'str', 'ptr'],

  TFE_NewTensorHandle: ['ptr', 'ptr', 'ptr'],
  TFE_DeleteTensorHandle: ['void', 'ptr'],
  TFE_TensorHandleCopySharingTensor: ['ptr', 'ptr', 'ptr'],
  TFE_TensorHandleResolve: ['ptr', 'ptr', 'ptr'],
  TFE_TensorHandleDataType: ['int', 'ptr'],
  TFE_TensorHandleNumDims: ['int', 'ptr', 'ptr'],
  TFE_TensorHandleDim: ['i64', 'ptr', 'int', 'ptr'],

  TFE_NewOp: ['ptr', 'ptr', 'str', 'ptr'],
  TFE_DeleteOp: ['void', 'ptr'],
  TFE_OpAddInput: ['void', 'ptr', 'ptr', 'ptr'],
  TFE_OpSetAttrValueProto: ['void', 'ptr', 'str', 'bytes', 'size', 'ptr'],
  TFE_Execute: ['void', 'ptr', 'ptrsInOut', 'i32InOut', 'ptr'],

  TF_NewGraph: ['ptr'],
  TF_DeleteGraph: ['void', 'ptr'],
  TF_GraphGetOpDef: ['void', 'ptr', 'str', 'ptr', 'ptr'],
  TF_NewOperation: ['ptr', 'ptr', 'str', 'str'],
  TF_AddInput: ['void', 'ptr', 'output'],
  TF_AddControlInput: ['void', 'ptr', 'ptr'],
  TF_AddInputList: ['void', 'ptr', 'outputs', 'int'],
  TF_SetAttrValueProto: ['void', 'ptr', 'str', 'bytes', 'size', 'ptr'],
  TF_SetAttrTensor: ['void', 'ptr', 'str', 'ptr', 'ptr'],
  TF_FinishOperation: ['ptr', 'ptr', 'ptr'],
  TF_OperationNumOutputs: ['int', 'ptr'],
  TF_OperationOutputType: ['int', 'output'],
  TF_GraphGetTensorNumDims: ['int', 'ptr', 'output', 'ptr'],
  TF_GraphGetTensorShape: ['void', 'ptr', 'output', 'i64s', 'int', 'ptr'],
  TF_GraphSetTensorShape: ['void', 'ptr', 'output', 'i64s', 'int', 'ptr'],
  TF_GraphToFunction: [
    'ptr', // result: TF_Function*
    ...(['ptr', 'str', 'u8', 'int', 'ptr'] as const), // graph, name, append hash, all operations (-1), operations
    ...(['int', 'outputs', 'int', 'outputs'] as const), // inputs, outputs
    ...(['ptr', 'ptr', 'ptr', 'ptr'] as const), // output names, options, description, status
  ],
  TF_FunctionSetAttrValueProto: ['void', 'ptr', 'str', 'bytes', 'size', 'ptr'],
  TF_DeleteFunction: ['void', 'ptr'],
} as const satisfies Record<string, Signature>;

export type CApi = { readonly [K in keyof typeof table]: Call<(typeof table)[K]> };

/** Binds the table to a loaded library. A symbol that is absent throws koffi's error, which names it. */
export function bindCApi(library: LibraryHandle): CApi {
  const output = koffi.struct({ oper: 'void *', index: 'int' });
  const types: Record<keyof CTypes, TypeSpec> = {
    void: 'void',
    ptr: 'void *',
    str: 'str',
    int: 'int',
    u8: 'uint8_t',
    size: 'size_t',
    i64: 'int64_t',
    i64s: koffi.inout('int64_t *'),
    i32InOut: koffi.inout('int *'),
    bytes: 'const uint8_t *',
    ptrs: 'void **',
    ptrsInOut: koffi.inout('void **'),
    output,
    outputs: koffi.pointer(output),
  };
  const bind = (name: string, [result, ...args]: Signature) =>
    library.func(
      name,
      types[result],
      args.map((type) => types[type]),
    );
  return Object.fromEntries(
    Object.entries(table).map(([name, signature]) => [name, bind(name, signature)]),
  ) as unknown as CApi;
}
