// The thread that makes a dataset's files: one a dataset, ended with it. Files in, files out.
import { createHash } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuiltDataset, buildDataset } from '#lib/data/build-dataset.ts';
import type { DataError, DataProblem } from '#lib/data/data-error.ts';
import { tokenBytesOf } from '#lib/data/shard-writer.ts';
import { formatOf, type Source, type SourceFormat } from '#lib/data/source.ts';
import type { SplitName } from '#lib/data/split.ts';
import { fromUnknown, invalidArgument } from '#lib/platform/errors.ts';
import { hashFile } from '#lib/platform/upload.ts';
import { serveWorker, type WorkerCall } from '#lib/platform/worker-call.ts';
import { createGpt2Tokenizer } from '#lib/text/gpt2.ts';
import { readTokenizerFiles, type TokenizerFiles, writeTokenizerFiles } from '#lib/text/tokenizer-files.ts';
import type { BuildSettings } from './check-create.ts';

export interface IngestInput {
  settings: BuildSettings;
  sources: { path: string; name: string; format: SourceFormat | ''; split: SplitName | undefined; sha256: string }[];
  tokenizer: TokenizerFiles | 'gpt2';
  /** An empty folder. */
  folder: string;
  shardTokens: number;
}

export interface IngestResult extends BuiltDataset {
  /** Of tokenizer.json, which lies in the folder. */
  tokenizerSha256: string;
  vocabSize: number;
  tokenBytes: 2 | 4;
  tokenizerParts: string[];
}

const methods = {
  /** Progress: bytes read so far. */
  ingest: async (input: IngestInput, { progress }: WorkerCall): Promise<IngestResult> => {
    try {
      const files = input.tokenizer === 'gpt2' ? writeTokenizerFiles(createGpt2Tokenizer()) : input.tokenizer;
      const tokenizer = readTokenizerFiles(files);
      const { settings, folder, shardTokens } = input;
      const sources = await Promise.all(input.sources.map((source, i) => toSource(source, i, settings.kind)));
      const onProgress = (bytes: number) => progress(bytes);
      const built = await buildDataset({ ...settings, sources, tokenizer, folder, shardTokens, onProgress });
      const { vocabSize } = tokenizer;
      const tokenizerSha256 = createHash('sha256').update(files['tokenizer.json']).digest('hex');
      const tokenizerParts = await writeFiles(folder, files);
      return { ...built, tokenizerSha256, vocabSize, tokenBytes: tokenBytesOf(vocabSize), tokenizerParts };
    } catch (error) {
      // Errors lose their class and system code between threads.
      throw isDataError(error) ? invalidArgument(fields[error.problem], error.message) : fromUnknown(error);
    }
  },
};

export type IngestMethods = typeof methods;

const fields: Record<DataProblem, string> = {
  source: 'sources',
  empty: 'sources',
  columns: 'columns',
  labels: 'label_names',
  tokenizer: 'tokenizer',
  split: 'validation_share',
};

const isDataError = (error: unknown): error is DataError => (error as Error).name === 'DataError';

async function toSource(
  { path, name, format, split, sha256 }: IngestInput['sources'][number],
  index: number,
  kind: BuildSettings['kind'],
): Promise<Source> {
  const found = sha256 && (await hashFile(path));
  if (found !== sha256) throw invalidArgument(`sources[${index}].object.sha256`, `the object's SHA-256 is ${found}`);
  const holds = kind === 'text' ? 'documents' : 'rows';
  return { path, name, split, format: format || formatOf(name, await headOf(path), holds) };
}

async function headOf(path: string): Promise<Uint8Array> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
  return buffer.subarray(0, bytesRead);
}

async function writeFiles(folder: string, files: TokenizerFiles): Promise<string[]> {
  const present = Object.entries(files).filter((entry): entry is [string, string] => entry[1] !== undefined);
  for (const [name, text] of present) await writeFile(join(folder, name), text);
  return present.map(([name]) => name);
}

serveWorker(methods);
