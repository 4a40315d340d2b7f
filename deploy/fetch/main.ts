// Fetches outside tools, data and open weights into the cache, once: `node deploy/fetch/main.ts tool libtensorflow`.
import { fetchCatalogue, fetchTool, listCatalogue, listTools } from '#lib/platform/artifacts.ts';
import { ConfigError, readConfig } from '#lib/platform/config.ts';
import { fromUnknown, isAppError } from '#lib/platform/errors.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import { createProgressLine } from './progress-line.ts';

const usage = `usage: node deploy/fetch/main.ts tool NAME | data NAME | --list
  tool NAME   a program or library of deploy/tools.json   (also: make tools TOOL=NAME)
  data NAME   an entry of deploy/catalogue.json: text, labelled data, open weights
  --list      what there is, and what is here already
STRATA_CACHE_DIR is where things go; STRATA_DATA_DIR is looked into first for data.`;

const { cacheDir: cache, dataDir: data } = platformSettings;

function readFolders() {
  try {
    return readConfig({ cacheDir: cache, dataDir: data }, process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(2);
  }
}

const { cacheDir, dataDir } = readFolders();
const signal = AbortSignal.any([onSignal('SIGINT'), onSignal('SIGTERM')]);

function onSignal(name: NodeJS.Signals): AbortSignal {
  const controller = new AbortController();
  process.once(name, () => controller.abort());
  return controller.signal;
}

async function fetchNamed(kind: 'tool' | 'data', name: string): Promise<void> {
  const line = createProgressLine(process.stderr);
  const options = { cacheDir, dataDir, signal, onProgress: line.show };
  try {
    if (kind === 'tool') console.log(await fetchTool(name, options));
    else for (const file of Object.values((await fetchCatalogue(name, options)).files)) console.log(file);
  } finally {
    line.end();
  }
}

async function list(): Promise<void> {
  const rows = [...(await listTools({ cacheDir })), ...(await listCatalogue({ cacheDir }))];
  for (const { name, sizeBytes, licence, here, description } of rows) {
    const size = `${(sizeBytes / 1e6).toFixed(1)} MB`;
    console.log(`${here ? '*' : ' '} ${name.padEnd(24)}${size.padStart(9)}  ${licence.padEnd(21)} ${description}`);
  }
  console.log(`* is here: ${cacheDir}`);
}

async function main([what, name, ...more]: string[]): Promise<number> {
  if (what === '--help' || what === '-h') console.log(usage);
  else if (what === '--list' && name === undefined) await list();
  else if ((what === 'tool' || what === 'data') && name !== undefined && more.length === 0)
    await fetchNamed(what, name);
  else {
    console.error(usage);
    return 2;
  }
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const known = isAppError(error) || signal.aborted;
  console.error(known ? `strata: ${signal.aborted ? 'stopped' : fromUnknown(error).message}` : error);
  process.exitCode = signal.aborted ? 130 : 1;
}
