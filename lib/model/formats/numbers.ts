// Stored numbers -> float32. Every supported machine is little-endian, as are the files, so typed arrays view the bytes directly.

/** A typed array over bytes; the bytes are copied only where they do not lie on the type's boundary. */
function view<T>(
  Type: { new (buffer: ArrayBufferLike, offset: number, length: number): T; readonly BYTES_PER_ELEMENT: number },
  bytes: Uint8Array,
): T {
  const size = Type.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new Type(aligned.buffer, aligned.byteOffset, bytes.length / size);
}

/** The bits of the float32 that equals each float16: made once, 256 KB. */
const bitsOfHalf: Uint32Array = (() => {
  const bits = new Uint32Array(65536);
  const value = new Float32Array(1);
  const valueBits = new Uint32Array(value.buffer);
  for (let half = 0; half < 65536; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 0) {
      value[0] = fraction * 2 ** -24;
      bits[half] = sign | (valueBits[0] as number);
    } else {
      bits[half] = sign | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13);
    }
  }
  return bits;
})();

const floatsOfHalves = new Float32Array(bitsOfHalf.buffer);

/** float16 bits -> its value. */
export const halfToFloat = (half: number): number => floatsOfHalves[half] as number;

function halves(bytes: Uint8Array): Float32Array {
  const source = view(Uint16Array, bytes);
  const bits = new Uint32Array(source.length);
  for (let i = 0; i < source.length; i++) bits[i] = bitsOfHalf[source[i] as number] as number;
  return new Float32Array(bits.buffer);
}

/** bfloat16 is the upper half of a float32. */
function brainFloats(bytes: Uint8Array): Float32Array {
  const source = view(Uint16Array, bytes);
  const bits = new Uint32Array(source.length);
  for (let i = 0; i < source.length; i++) bits[i] = (source[i] as number) << 16;
  return new Float32Array(bits.buffer);
}

const bigIntegers = (values: BigInt64Array | BigUint64Array): Float32Array => Float32Array.from(values, Number);

/** Bytes of one element, and how many of them become float32. Integers above 2^24 are rounded to the nearest float32. */
export const numberTypes = {
  F64: { bytes: 8, toFloats: (raw) => new Float32Array(view(Float64Array, raw)) },
  F32: { bytes: 4, toFloats: (raw) => view(Float32Array, raw) },
  F16: { bytes: 2, toFloats: halves },
  BF16: { bytes: 2, toFloats: brainFloats },
  I64: { bytes: 8, toFloats: (raw) => bigIntegers(view(BigInt64Array, raw)) },
  U64: { bytes: 8, toFloats: (raw) => bigIntegers(view(BigUint64Array, raw)) },
  I32: { bytes: 4, toFloats: (raw) => new Float32Array(view(Int32Array, raw)) },
  U32: { bytes: 4, toFloats: (raw) => new Float32Array(view(Uint32Array, raw)) },
  I16: { bytes: 2, toFloats: (raw) => new Float32Array(view(Int16Array, raw)) },
  U16: { bytes: 2, toFloats: (raw) => new Float32Array(view(Uint16Array, raw)) },
  I8: { bytes: 1, toFloats: (raw) => new Float32Array(view(Int8Array, raw)) },
  U8: { bytes: 1, toFloats: (raw) => new Float32Array(raw) },
  BOOL: { bytes: 1, toFloats: (raw) => new Float32Array(raw) },
} satisfies Record<string, { bytes: number; toFloats: (raw: Uint8Array) => Float32Array }>;

export type NumberType = keyof typeof numberTypes;

export const isNumberType = (name: unknown): name is NumberType =>
  typeof name === 'string' && Object.hasOwn(numberTypes, name);
