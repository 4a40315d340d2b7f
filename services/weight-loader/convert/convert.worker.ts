// The thread that reads, checks and converts models, so that the service answers meanwhile.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configToJson, parseConfig } from '#lib/model/config-json.ts';
import { writeHfDirectory } from '#lib/model/formats/hf-directory.ts';
import { readSafetensors } from '#lib/model/formats/safetensors.ts';
import { AppError, isDiskFull } from '#lib/platform/errors.ts';
import { serveWorker, type WorkerCall } from '#lib/platform/worker-call.ts';
import { readTokenizerFiles, writeTokenizerFiles } from '#lib/text/tokenizer-files.ts';
import type { ModelFacts } from '../model.ts';
import { type Files, factsOf, type LoadedModel, textOf } from './files.ts';
import { readDirectory } from './read-directory.ts';
import { readGguf } from './read-gguf.ts';

export interface ConvertInput {
  files: Files;
  /** An empty folder for the Hugging Face directory. */
  into: string;
}

export interface ConvertProgress {
  phase: 'reading' | 'writing';
  done: number;
  total: number;
}

const methods = {
  /** Uploaded files, a directory's or one GGUF file, -> a directory in our own form. */
  convert: ({ files, into }: ConvertInput, { progress }: WorkerCall) =>
    refusingBadFiles(async () => {
      const report = (phase: ConvertProgress['phase'], done: number, total: number) =>
        progress({ phase, done, total } satisfies ConvertProgress);
      report('reading', 0, 0);
      const gguf = Object.keys(files).find((name) => name.endsWith('.gguf'));
      const model = gguf
        ? await readGguf(files[gguf] as string, (done, total) => report('reading', done, total))
        : await readDirectory(files);
      const facts = factsOf(model);
      report('writing', 0, 0);
      await writeDirectory(model, into, await textOf(files, 'generation_config.json'));
      return facts;
    }),

  /** What a run has written, as it stands. */
  inspect: (files: Files) =>
    refusingBadFiles(async (): Promise<ModelFacts> => {
      const text = async (name: string) => (await textOf(files, name)) ?? '';
      const tokenizer = readTokenizerFiles({
        'tokenizer.json': await text('tokenizer.json'),
        'tokenizer_config.json': await textOf(files, 'tokenizer_config.json'),
      });
      const weights = await readSafetensors(files['model.safetensors'] ?? '');
      return factsOf({ config: parseConfig(await text('config.json')), weights, tokenizer });
    }),
};

async function writeDirectory({ config, weights, tokenizer }: LoadedModel, into: string, generation?: string) {
  await writeHfDirectory(into, { config: configToJson(config), weights });
  for (const [name, text] of Object.entries(writeTokenizerFiles(tokenizer))) await writeFile(join(into, name), text);
  const { bosId: bos_token_id, eosId: eos_token_id } = tokenizer;
  const derived = `${JSON.stringify({ bos_token_id, eos_token_id }, null, 2)}\n`;
  await writeFile(join(into, 'generation_config.json'), generation ?? derived);
}

const badFile = new Set(['ModelFormatError', 'ConfigError', 'TokenizerFormatError', 'RangeError', 'SyntaxError']);

/** What is wrong with the files is the caller's to hear; anything else is a bug. */
async function refusingBadFiles<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { name, message } = error as Error;
    if (badFile.has(name)) throw new AppError('INVALID_ARGUMENT', message, { field: 'files', cause: error });
    if (isDiskFull(error))
      throw new AppError('RESOURCE_EXHAUSTED', 'the disk for temporary files is full: set TMPDIR to another one', {
        cause: error,
      });
    throw error;
  }
}

export type ConvertMethods = typeof methods;

serveWorker(methods);
