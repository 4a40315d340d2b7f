// Safetensors: eight bytes of header length, a JSON header (name -> dtype, shape, byte range), then the data of all tensors.
// https://huggingface.co/docs/safetensors. The whole header is checked before any tensor is read, so a bad file loads nothing.

import { sizeOf, type Weights, type WeightTensor } from '../weights.ts';
import { type ByteReader, type ByteSource, ModelFormatError, withReader } from './byte-source.ts';
import { findDuplicateKey } from './duplicate-keys.ts';
import { isNumberType, type NumberType, numberTypes } from './numbers.ts';

/** The format's own limit. */
const largestHeader = 100_000_000;

export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: NumberType;
  readonly shape: readonly number[];
  /** Bytes of the file, from and up to. */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their data. */
  readonly entries: readonly SafetensorsEntry[];
}

/** Reads and checks the header alone. Throws ModelFormatError. */
export async function readSafetensorsHeader(reader: ByteReader): Promise<SafetensorsHeader> {
  if (reader.size < 8) throw new ModelFormatError(`safetensors: ${reader.size} bytes are no file (the header needs 8)`);
  const lengthBytes = await reader.read(0, 8);
  const length = new DataView(lengthBytes.buffer, lengthBytes.byteOffset).getBigUint64(0, true);
  const room = Math.min(reader.size - 8, largestHeader);
  if (length > room)
    throw new ModelFormatError(`safetensors: a header of ${length} bytes; at most ${room} are possible`);
  const dataStart = 8 + Number(length);
  const { __metadata__, ...tensors } = parseHeader(await reader.read(8, Number(length)));
  const entries = Object.entries(tensors).map(([name, info]) => toEntry(name, info, dataStart));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkLayout(entries, dataStart, reader.size);
  return { metadata: toMetadata(__metadata__), entries };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (cause) {
    throw new ModelFormatError('safetensors: the header is no valid JSON', { cause });
  }
  if (!isObject(header)) throw new ModelFormatError('safetensors: the header is no JSON object');
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) throw new ModelFormatError(`safetensors: "${duplicate}" stands twice in the header`);
  return header;
}

function toMetadata(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (!isObject(value) || Object.values(value).some((text) => typeof text !== 'string')) {
    throw new ModelFormatError('safetensors: __metadata__ is no map of texts');
  }
  return value as Record<string, string>;
}

function toEntry(name: string, info: unknown, dataStart: number): SafetensorsEntry {
  const fail = (what: string) => new ModelFormatError(`safetensors: tensor "${name}": ${what}`);
  if (!isObject(info)) throw fail('no object');
  const { dtype, shape, data_offsets: range } = info;
  if (!isNumberType(dtype)) {
    throw fail(`dtype ${JSON.stringify(dtype)} is not one of ${Object.keys(numberTypes).join(', ')}`);
  }
  if (!isSizes(shape)) throw fail(`shape ${JSON.stringify(shape)} is no list of sizes`);
  if (!isSizes(range) || range.length !== 2) throw fail(`data_offsets ${JSON.stringify(range)} are no two offsets`);
  const [begin, end] = range as [number, number];
  const bytes = sizeOf(shape) * numberTypes[dtype].bytes;
  if (end - begin !== bytes) throw fail(`${dtype} [${shape}] takes ${bytes} bytes, its offsets [${range}] do not`);
  return { name, dtype, shape, begin: dataStart + begin, end: dataStart + end };
}

/** The tensors fill the data exactly: no overlap, no hole, nothing behind the last. */
function checkLayout(entries: readonly SafetensorsEntry[], dataStart: number, size: number): void {
  let position = dataStart;
  for (const { name, begin, end } of entries) {
    if (begin < position) throw new ModelFormatError(`safetensors: tensor "${name}" overlaps the one before it`);
    if (begin > position) throw new ModelFormatError(`safetensors: ${begin - position} unused bytes before "${name}"`);
    position = end;
  }
  if (position > size) throw new ModelFormatError(`safetensors: the file is cut off: ${size} of ${position} bytes`);
  if (position < size) throw new ModelFormatError(`safetensors: ${size - position} bytes behind the last tensor`);
}

export async function readSafetensorsTensor(reader: ByteReader, entry: SafetensorsEntry): Promise<WeightTensor> {
  const raw = await reader.read(entry.begin, entry.end - entry.begin);
  return { dtype: 'f32', shape: entry.shape, data: numberTypes[entry.dtype].toFloats(raw) };
}

export interface ReadOptions {
  /** Tensors to read; the others' data is not touched. Default: all. */
  readonly select?: (name: string) => boolean;
}

/** All tensors of one file as float32. Throws ModelFormatError. */
export const readSafetensors = (source: ByteSource, { select = () => true }: ReadOptions = {}): Promise<Weights> =>
  withReader(source, async (reader) => {
    const { entries } = await readSafetensorsHeader(reader);
    const weights: Weights = new Map();
    for (const entry of entries) {
      if (select(entry.name)) weights.set(entry.name, await readSafetensorsTensor(reader, entry));
    }
    return weights;
  });

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
