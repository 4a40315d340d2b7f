// The protocol-buffer wire format, as much of it as the C API of TensorFlow needs: it hands out OpDefs and takes
// AttrValues and ConfigProtos as serialized messages. https://protobuf.dev/programming-guides/encoding

export interface Field {
  readonly number: number;
  /** Varints and fixed-width fields as a number; length-delimited fields as bytes. */
  readonly value: number | Uint8Array;
}

/** Reads the fields of one message in order; the caller keeps those it knows. */
export function* readFields(bytes: Uint8Array): Generator<Field> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = view.getUint8(at++);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  /** Moves past `size` bytes and gives where they begin. */
  const skip = (size: number) => {
    at += size;
    return at - size;
  };
  const readValue = (wireType: number) => {
    if (wireType === 0) return varint();
    if (wireType === 1) return view.getFloat64(skip(8), true);
    if (wireType === 5) return view.getFloat32(skip(4), true);
    if (wireType !== 2) throw new RangeError(`protobuf: wire type ${wireType} at byte ${at}`);
    const size = varint();
    const start = skip(size);
    return bytes.subarray(start, at);
  };
  while (at < bytes.length) {
    const tag = varint();
    yield { number: Math.floor(tag / 8), value: readValue(tag % 8) };
  }
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export const text = (value: number | Uint8Array): string => (typeof value === 'number' ? '' : decoder.decode(value));

const varintBytes = (value: number | bigint): number[] => {
  const bytes: number[] = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    const low = Number(rest & 127n);
    if (rest < 128n) return [...bytes, low];
    bytes.push(low | 128);
  }
};

const tag = (number: number, kind: number) => varintBytes(number * 8 + kind);

export const varintField = (number: number, value: number | bigint): Uint8Array =>
  Uint8Array.from([...tag(number, 0), ...varintBytes(value)]);

export const floatField = (number: number, value: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return message(Uint8Array.from(tag(number, 5)), bytes);
};

export const bytesField = (number: number, value: Uint8Array | string): Uint8Array => {
  const bytes = typeof value === 'string' ? encoder.encode(value) : value;
  return message(Uint8Array.from([...tag(number, 2), ...varintBytes(bytes.length)]), bytes);
};

/** A message is its fields, one after another. */
export function message(...fields: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((size, field) => size + field.length, 0));
  let at = 0;
  for (const field of fields) {
    bytes.set(field, at);
    at += field.length;
  }
  return bytes;
}
