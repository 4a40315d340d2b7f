// Things from outside, fetched on first use with a progress bar: data, open weights, the engine's library.
import { engineTools, type FetchedEntry, fetchCatalogue, fetchTool } from '#lib/platform/artifacts.ts';
import type { FetchProgress } from '#lib/platform/fetch/progress.ts';
import type { Context } from '../context.ts';

async function withBar<T>(
  context: Context,
  title: string,
  fetch: (onProgress: (progress: FetchProgress) => void) => Promise<T>,
) {
  let bar: ReturnType<Context['output']['progress']> | undefined;
  const fetched = await fetch(({ phase, doneBytes, totalBytes }) => {
    bar ??= context.output.progress(title);
    bar.update({ phase, done: doneBytes, total: totalBytes, unit: 'bytes', remainingSeconds: 0 });
  });
  bar?.done();
  return fetched;
}

/** An entry of the catalogue; nothing is shown where it is here already. */
export const fetchFromCatalogue = (context: Context, name: string): Promise<FetchedEntry> =>
  withBar(context, `fetch ${name}`, (onProgress) =>
    fetchCatalogue(name, { ...context.config, signal: context.signal, onProgress }),
  );

/** What training and evaluating need on this machine; services elsewhere have their own. */
export async function ensureEngine(context: Context): Promise<void> {
  const { remoteAddresses, edgeAddress, device, cacheDir } = context.config;
  if (remoteAddresses || edgeAddress) return;
  const name = engineTools[device];
  await withBar(context, `fetch ${name}`, (onProgress) =>
    fetchTool(name, { cacheDir, signal: context.signal, onProgress }),
  );
}
