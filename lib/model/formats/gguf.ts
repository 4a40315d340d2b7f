// GGUF, the one-file format of llama.cpp: metadata, then tensors, plain or quantised. Versions 2 and 3, little-endian.
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The header is checked whole before any tensor is read.

import { sizeOf, type WeightTensor } from '../weights.ts';
import { type ByteReader, ModelFormatError } from './byte-source.ts';
import { ggmlType, ggmlTypeName, readableGgmlTypes } from './ggml-types.ts';
import { createGgufCursor, type GgufCursor, type GgufValue, NeedMoreBytes } from './gguf-cursor.ts';

export type GgufMetadata = ReadonlyMap<string, GgufValue>;

export interface GgufEntry {
  readonly name: string;
  /** Slowest dimension first, as everywhere here (the file has it the other way round). */
  readonly shape: readonly number[];
  /** GGML's type number. */
  readonly type: number;
  /** Bytes of the file, from and up to. */
  readonly begin: number;
  readonly end: number;
}

export interface GgufHeader {
  readonly version: number;
  readonly metadata: GgufMetadata;
  readonly entries: readonly GgufEntry[];
}

const MAGIC = 0x46554747; // "GGUF"
const firstRead = 8 << 20;

/** Reads and checks the header alone. Throws ModelFormatError. */
export async function readGgufHeader(reader: ByteReader): Promise<GgufHeader> {
  for (let length = Math.min(firstRead, reader.size); ; length = Math.min(length * 4, reader.size)) {
    const cursor = createGgufCursor(await reader.read(0, length), reader.size);
    try {
      return parseHeader(cursor, reader.size);
    } catch (error) {
      if (!(error instanceof NeedMoreBytes)) throw error;
    }
  }
}

function parseHeader(cursor: GgufCursor, fileSize: number): GgufHeader {
  if (cursor.u32() !== MAGIC) throw new ModelFormatError('gguf: the file does not begin with "GGUF"');
  const version = cursor.u32();
  if (version !== 2 && version !== 3) {
    throw new ModelFormatError(`gguf: version ${version} (or another byte order); 2 and 3 are read`);
  }
  const tensorCount = cursor.count();
  const metadata = readMetadata(cursor, cursor.count());
  const infos: TensorInfo[] = [];
  while (infos.length < tensorCount) infos.push(readTensorInfo(cursor));
  const alignment = alignmentOf(metadata);
  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  const entries = infos.map((info) => toEntry(info, { dataStart, alignment, fileSize }));
  checkEntries(entries);
  return { version, metadata, entries };
}

function readMetadata(cursor: GgufCursor, count: number): GgufMetadata {
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    const key = cursor.string();
    if (metadata.has(key)) throw new ModelFormatError(`gguf: metadata "${key}" stands twice in the header`);
    metadata.set(key, cursor.value());
  }
  return metadata;
}

interface TensorInfo {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly offset: number;
}

function readTensorInfo(cursor: GgufCursor): TensorInfo {
  const name = cursor.string();
  const rank = cursor.u32();
  if (rank > 4) throw new ModelFormatError(`gguf: tensor "${name}" has ${rank} dimensions; at most 4 are possible`);
  const sides = Array.from({ length: rank }, () => cursor.u64());
  return { name, shape: sides.reverse(), type: cursor.u32(), offset: cursor.u64() };
}

function alignmentOf(metadata: GgufMetadata): number {
  const alignment = metadata.get('general.alignment') ?? 32;
  if (typeof alignment !== 'number' || !Number.isInteger(alignment) || alignment < 8 || alignment % 8 !== 0) {
    throw new ModelFormatError(`gguf: general.alignment is ${String(alignment)}, no multiple of 8`);
  }
  return alignment;
}

function toEntry(info: TensorInfo, file: { dataStart: number; alignment: number; fileSize: number }): GgufEntry {
  const fail = (what: string) => new ModelFormatError(`gguf: tensor "${info.name}": ${what}`);
  const type = ggmlType(info.type);
  if (!type) throw fail(`${ggmlTypeName(info.type)} is not read; ${readableGgmlTypes()} are`);
  const row = info.shape.at(-1) ?? 1;
  if (row % type.blockSize !== 0) throw fail(`rows of ${row} are no whole blocks of ${type.name} (${type.blockSize})`);
  if (info.offset % file.alignment !== 0) throw fail(`offset ${info.offset} is no multiple of ${file.alignment}`);
  const begin = file.dataStart + info.offset;
  const end = begin + (sizeOf(info.shape) / type.blockSize) * type.blockBytes;
  if (end > file.fileSize) throw fail(`the file is cut off: ${file.fileSize} bytes, the tensor ends at ${end}`);
  return { name: info.name, shape: info.shape, type: info.type, begin, end };
}

function checkEntries(entries: readonly GgufEntry[]): void {
  const names = new Set<string>();
  for (const { name } of entries) {
    if (names.has(name)) throw new ModelFormatError(`gguf: tensor "${name}" stands twice in the header`);
    names.add(name);
  }
  let position = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < position) throw new ModelFormatError(`gguf: tensor "${name}" overlaps the one before it`);
    position = end;
  }
}

/** One tensor as float32, dequantised where it is quantised. */
export async function readGgufTensor(reader: ByteReader, entry: GgufEntry): Promise<WeightTensor> {
  const type = ggmlType(entry.type);
  if (!type) throw new ModelFormatError(`gguf: tensor "${entry.name}": ${ggmlTypeName(entry.type)} is not read`);
  const raw = await reader.read(entry.begin, entry.end - entry.begin);
  return { dtype: 'f32', shape: entry.shape, data: type.toFloats(raw) };
}
