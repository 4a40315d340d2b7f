// A model as a Hugging Face directory: config.json beside model.safetensors (or shards with their index).

import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Weights } from '../weights.ts';
import { type ByteSource, ModelFormatError, withReader } from './byte-source.ts';
import { namingFor } from './hf-names.ts';
import { readSafetensors } from './safetensors.ts';
import { readShardedSafetensors } from './sharded-safetensors.ts';
import { writeSafetensors } from './write-safetensors.ts';

export type ConfigJson = Readonly<Record<string, unknown>>;

export interface HfModel {
  /** config.json as it stands. */
  readonly config: ConfigJson;
  /** Under our names (hf-names.ts). */
  readonly weights: Weights;
}

/** Files by their names; undefined where there is none of that name. */
export type OpenFile = (file: string) => Promise<ByteSource | undefined>;

const filesIn =
  (folder: string): OpenFile =>
  async (file) => {
    const path = join(folder, file);
    const exists = await access(path).then(
      () => true,
      () => false,
    );
    return exists ? path : undefined;
  };

/** `folder` is a path, or a function that finds its files elsewhere. Throws ModelFormatError. */
export async function readHfDirectory(folder: string | OpenFile): Promise<HfModel> {
  const open = typeof folder === 'string' ? filesIn(folder) : folder;
  const config = await readJson(open, 'config.json');
  if (!config) throw new ModelFormatError('the directory has no config.json');
  const toOwn = namingFor(config);
  const stored = await readStoredWeights(open, (name) => toOwn(name) !== undefined);
  const weights: Weights = new Map();
  for (const [name, tensor] of stored) {
    const own = toOwn(name) ?? name;
    if (weights.has(own)) throw new ModelFormatError(`safetensors: "${own}" is there with and without its prefix`);
    weights.set(own, tensor);
  }
  return { config, weights };
}

async function readStoredWeights(open: OpenFile, select: (name: string) => boolean): Promise<Weights> {
  const single = await open('model.safetensors');
  if (single) return readSafetensors(single, { select });
  const index = await readJson(open, 'model.safetensors.index.json');
  if (!index) throw new ModelFormatError(`the directory has no model.safetensors${await pickleHint(open)}`);
  const openShard = async (file: string): Promise<ByteSource> => {
    const shard = await open(file);
    if (!shard) throw new ModelFormatError(`the directory has no ${file}, which its index names`);
    return shard;
  };
  return readShardedSafetensors(index, openShard, { select });
}

async function pickleHint(open: OpenFile): Promise<string> {
  const pickled = await open('pytorch_model.bin');
  return pickled ? '; pytorch_model.bin can run code and is not read: save it with safe_serialization=True' : '';
}

const readJson = async (open: OpenFile, file: string): Promise<ConfigJson | undefined> => {
  const source = await open(file);
  if (source === undefined) return undefined;
  const bytes = await withReader(source, (reader) => reader.read(0, reader.size));
  return parseJsonObject(file, bytes);
};

function parseJsonObject(file: string, bytes: Uint8Array): ConfigJson {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ModelFormatError(`${file} is no valid JSON`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ModelFormatError(`${file} is no JSON object`);
  }
  return value as ConfigJson;
}

/** Writes config.json and model.safetensors; the weights last. */
export async function writeHfDirectory(folder: string, { config, weights }: HfModel): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  await writeSafetensors(join(folder, 'model.safetensors'), weights);
}
