// Writes small GGUF files for tests, right and wrong ones.

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

export interface GgufTensor {
  name: string;
  /** Slowest dimension first. */
  shape: number[];
  type?: number;
  offset: number | bigint;
}

export interface GgufParts {
  magic?: string;
  version?: number;
  tensorCount?: number | bigint;
  /** Keys with a u32, a text, or the raw bytes of type and value. */
  metadata?: [string, number | string | Buffer][];
  tensors?: GgufTensor[];
  data?: Buffer;
}

export const rawValue = { u32, u64, text };

export function ggufFile({
  magic = 'GGUF',
  version = 3,
  metadata = [],
  tensors = [],
  data = Buffer.alloc(0),
  tensorCount,
}: GgufParts): Buffer {
  const value = (v: number | string | Buffer) =>
    typeof v === 'number'
      ? Buffer.concat([u32(4), u32(v)])
      : typeof v === 'string'
        ? Buffer.concat([u32(8), text(v)])
        : v;
  const header = Buffer.concat([
    Buffer.from(magic),
    u32(version),
    u64(tensorCount ?? tensors.length),
    u64(metadata.length),
    ...metadata.flatMap(([key, v]) => [text(key), value(v)]),
    ...tensors.flatMap(({ name, shape, type = 0, offset }) => [
      text(name),
      u32(shape.length),
      ...shape.toReversed().map(u64),
      u32(type),
      u64(offset),
    ]),
  ]);
  return Buffer.concat([header, Buffer.alloc((32 - (header.length % 32)) % 32), data]);
}
