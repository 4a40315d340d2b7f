// A GGUF file -> model and tokenizer.
import { configFromJson } from '#lib/model/config-json.ts';
import { readLlamaGguf } from '#lib/model/formats/llama-gguf.ts';
import { fromGgufMetadata } from '#lib/text/gguf-tokenizer.ts';
import type { LoadedModel } from './files.ts';

export async function readGguf(
  path: string,
  onProgress: (doneBytes: number, totalBytes: number) => void,
): Promise<LoadedModel> {
  const { config, weights, metadata } = await readLlamaGguf(path, { onProgress });
  return { config: configFromJson(config), weights, tokenizer: fromGgufMetadata(metadata) };
}
