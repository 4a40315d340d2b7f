// Writes safetensors: float32, in the order of the map, the data on a boundary of eight bytes. The same weights give the same bytes.

import { open, rename, rm } from 'node:fs/promises';
import type { Weights } from '../weights.ts';

export interface WriteOptions {
  /** Texts of the header's `__metadata__`; `format: "pt"` is what Hugging Face's loaders want to see, and the default. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The size of the file that encodeSafetensors makes. */
export function safetensorsSize(weights: Weights, options: WriteOptions = {}): number {
  let size = encodeHeader(weights, options).length;
  for (const { data } of weights.values()) size += data.byteLength;
  return size;
}

/** The file in parts: the header, then each tensor's own memory (not copied). */
export function* encodeSafetensors(weights: Weights, options: WriteOptions = {}): Generator<Uint8Array> {
  yield encodeHeader(weights, options);
  for (const { data } of weights.values()) yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function encodeHeader(weights: Weights, { metadata = { format: 'pt' } }: WriteOptions): Uint8Array {
  const fields: [string, unknown][] = [['__metadata__', metadata]];
  let offset = 0;
  for (const [name, { shape, data }] of weights) {
    fields.push([name, { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] }]);
    offset += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(fields)));
  const header = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(json, 8);
  return header;
}

/** Writes a file; it has its name only once it is whole and on the disk. */
export async function writeSafetensors(path: string, weights: Weights, options: WriteOptions = {}): Promise<void> {
  const unfinished = `${path}.unfinished`;
  try {
    await using file = await open(unfinished, 'w');
    for (const part of encodeSafetensors(weights, options)) await file.writeFile(part);
    await file.sync();
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  await rename(unfinished, path);
}
