// A safetensors file whose tensors ONNX Runtime maps itself: they are never read into JavaScript's memory.
import { withReader } from '#lib/model/formats/byte-source.ts';
import { readSafetensorsHeader } from '#lib/model/formats/safetensors.ts';
import type { GraphWeights } from './graph.ts';

/**
 * The tensors of the file at `path`, which may be removed once the decoder is made. Undefined where it holds other numbers than
 * float32, which have to be read and converted instead. Throws ModelFormatError.
 */
export const mapSafetensors = (path: string): Promise<GraphWeights | undefined> =>
  withReader(path, async (reader) => {
    const { entries } = await readSafetensorsHeader(reader);
    if (entries.some(({ dtype }) => dtype !== 'F32')) return undefined;
    return { file: path, tensors: new Map(entries.map(({ name, shape, begin }) => [name, { shape, offset: begin }])) };
  });
