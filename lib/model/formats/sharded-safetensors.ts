// Weights in several safetensors files, with an index (model.safetensors.index.json) that says which tensor lies where.

import type { Weights } from '../weights.ts';
import { type ByteSource, ModelFormatError, withReader } from './byte-source.ts';
import { type ReadOptions, readSafetensorsHeader, readSafetensorsTensor } from './safetensors.ts';

/** The parsed index file; `open` gives the source of a shard by its file name. Throws ModelFormatError. */
export async function readShardedSafetensors(
  index: unknown,
  open: (file: string) => ByteSource | Promise<ByteSource>,
  { select = () => true }: ReadOptions = {},
): Promise<Weights> {
  const weights: Weights = new Map();
  for (const [file, names] of shardsOf(index)) {
    await withReader(await open(file), async (reader) => {
      const { entries } = await readSafetensorsHeader(reader);
      checkNames(file, names, new Set(entries.map((entry) => entry.name)));
      for (const entry of entries) {
        if (select(entry.name)) weights.set(entry.name, await readSafetensorsTensor(reader, entry));
      }
    });
  }
  return weights;
}

/** Shard file -> the names it has to hold. */
export function shardsOf(index: unknown): Map<string, Set<string>> {
  const map = (index as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null) throw new ModelFormatError('safetensors index: no weight_map');
  const shards = new Map<string, Set<string>>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== 'string' || !/^[\w][\w.-]*$/.test(file)) {
      throw new ModelFormatError(`safetensors index: tensor "${name}": ${JSON.stringify(file)} is no file name`);
    }
    shards.set(file, (shards.get(file) ?? new Set()).add(name));
  }
  return shards;
}

function checkNames(file: string, expected: ReadonlySet<string>, found: ReadonlySet<string>): void {
  for (const name of expected) {
    if (!found.has(name)) throw new ModelFormatError(`safetensors index: "${name}" is not in ${file}`);
  }
  for (const name of found) {
    if (!expected.has(name)) throw new ModelFormatError(`safetensors index: does not place "${name}" in ${file}`);
  }
}
