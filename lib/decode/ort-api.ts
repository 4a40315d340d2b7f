// The part of ONNX Runtime's C API that is called (onnxruntime_c_api.h), as one table: where the function stands in struct
// OrtApi (which only ever grows), what it returns and what it takes. Types of the calls follow from it.
import koffi, { type TypeObject } from 'koffi';

/** A C pointer. koffi gives them as bigint, NULL as null. */
export type Pointer = bigint | null;

/** The version of struct OrtApi that has the whole table; every later library still offers it. */
export const apiVersion = 18;

interface CTypes {
  void: undefined;
  ptr: Pointer;
  str: string;
  int: number;
  size: number;
  memory: ArrayBufferView;
  i64s: BigInt64Array;
  strs: readonly string[];
  ptrs: readonly Pointer[];
  sizes: BigUint64Array;
  out: [Pointer];
}

type TypeSpec = string | TypeObject | ReturnType<typeof koffi.out>;
type Signature = readonly [index: number, result: keyof CTypes, ...args: (keyof CTypes)[]];
type Arguments<A extends readonly (keyof CTypes)[]> = { [I in keyof A]: CTypes[A[I]] };
type Call<S extends Signature> = S extends readonly [
  number,
  infer R extends keyof CTypes,
  ...infer A extends (keyof CTypes)[],
]
  ? (...args: Arguments<A>) => CTypes[R]
  : never;

// A 'ptr' result is an OrtStatus*: NULL where all is well.
const table = {
  GetErrorMessage: [2, 'str', 'ptr'],
  CreateEnv: [3, 'ptr', 'int', 'str', 'out'],
  CreateSessionFromArray: [8, 'ptr', 'ptr', 'memory', 'size', 'ptr', 'out'],
  CreateSessionOptions: [10, 'ptr', 'out'],
  SetIntraOpNumThreads: [24, 'ptr', 'ptr', 'int'],
  CreateRunOptions: [39, 'ptr', 'out'],
  CreateTensorWithDataAsOrtValue: [49, 'ptr', 'ptr', 'memory', 'size', 'i64s', 'size', 'int', 'out'],
  CreateCpuMemoryInfo: [69, 'ptr', 'int', 'int', 'out'],
  ReleaseStatus: [93, 'void', 'ptr'],
  ReleaseSession: [95, 'void', 'ptr'],
  ReleaseValue: [96, 'void', 'ptr'],
  ReleaseSessionOptions: [100, 'void', 'ptr'],
  AddSessionConfigEntry: [130, 'ptr', 'ptr', 'str', 'str'],
  RunWithBinding: [133, 'ptr', 'ptr', 'ptr', 'ptr'],
  CreateIoBinding: [134, 'ptr', 'ptr', 'out'],
  ReleaseIoBinding: [135, 'void', 'ptr'],
  BindInput: [136, 'ptr', 'ptr', 'str', 'ptr'],
  BindOutput: [137, 'ptr', 'ptr', 'str', 'ptr'],
  AddExternalInitializersFromFilesInMemory: [279, 'ptr', 'ptr', 'strs', 'ptrs', 'sizes', 'size'],
} as const satisfies Record<string, Signature>;

export type OrtApi = { readonly [K in keyof typeof table]: Call<(typeof table)[K]> };

const functionCount = 1 + Math.max(...Object.values(table).map(([index]) => index));

/** The functions behind a pointer to struct OrtApi. */
export function bindOrtApi(struct: Pointer): OrtApi {
  const types: Record<keyof CTypes, TypeSpec> = {
    void: 'void',
    ptr: 'void *',
    str: 'str',
    int: 'int',
    size: 'size_t',
    memory: 'void *',
    i64s: 'int64_t *',
    strs: 'const char **',
    ptrs: 'void **',
    sizes: 'size_t *',
    out: koffi.out('void **'),
  };
  const pointers: Pointer[] = koffi.decode(struct, koffi.array('void *', functionCount));
  const bind = ([index, result, ...args]: Signature) =>
    koffi.decode(
      pointers[index],
      koffi.proto(
        types[result],
        args.map((type) => types[type]),
      ),
    );
  return Object.fromEntries(
    Object.entries(table).map(([name, signature]) => [name, bind(signature)]),
  ) as unknown as OrtApi;
}
