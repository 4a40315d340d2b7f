// The element types the engine carries: TensorFlow's number, the size of one element, and the typed array that holds it.

export const dtypes = {
  float32: { code: 1, size: 4 },
  uint8: { code: 4, size: 1 },
  int32: { code: 3, size: 4 },
  string: { code: 7, size: 24 }, // TF_TString
  complex64: { code: 8, size: 8 },
  int64: { code: 9, size: 8 },
  bool: { code: 10, size: 1 },
  resource: { code: 20, size: 0 },
} as const satisfies Record<string, { code: number; size: number }>;

export type EngineDType = keyof typeof dtypes;

const names = new Map<number, EngineDType>(
  Object.entries(dtypes).map(([name, { code }]) => [code, name as EngineDType]),
);

export function dtypeOfCode(code: number): EngineDType {
  const name = names.get(code);
  if (!name)
    throw new TypeError(
      `TensorFlow's data type ${code} is not one the engine carries (${[...names.values()].join(', ')})`,
    );
  return name;
}

export const sizeOfShape = (shape: readonly number[]): number => shape.reduce((size, dim) => size * dim, 1);

export interface TensorSpec {
  readonly dtype: EngineDType;
  readonly shape: readonly number[];
}
