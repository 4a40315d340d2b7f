// CreateDataset: one ingestion at a time, each in a thread of its own; progress, then the stored dataset.
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectRef, Progress } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { CreateDatasetRequest, Dataset, Source } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { objectKeys } from '#lib/contracts/keys.ts';
import { hasCode } from '#lib/platform/errors.ts';
import { createArtifact, readManifest, type StoredManifest } from '#lib/platform/manifest.ts';
import type { ObjectStore } from '#lib/platform/object-store.ts';
import { createProgressMeter, type ProgressMeter } from '#lib/platform/progress-meter.ts';
import { createQueue } from '#lib/platform/queue.ts';
import { createTurns } from '#lib/platform/turns.ts';
import { createWorker } from '#lib/platform/worker-call.ts';
import { type BuildSettings, isFormat, originOf, sizesOf, toSettings } from './check-create.ts';
import { type DatasetMetadata, splitNameOf } from './dataset-manifest.ts';
import type { DatasetStore, Origin } from './dataset-store.ts';
import type { IngestMethods, IngestResult } from './ingest.worker.ts';
import { withLocalFiles } from './local-files.ts';
import type { LocatedTokenizer, LocateTokenizer } from './locate-tokenizer.ts';

export type IngestionEvent = { kind: 'progress'; progress: Progress } | { kind: 'made'; dataset: Dataset };

export type Ingest = (request: CreateDatasetRequest, signal: AbortSignal) => AsyncIterable<IngestionEvent>;

export interface IngestionOptions {
  /** Unfinished datasets lie there until they are stored. */
  home: string;
  shardTokens: number;
  objects: ObjectStore;
  datasets: DatasetStore;
  locateTokenizer: LocateTokenizer;
}

export function createIngestion(options: IngestionOptions): Ingest {
  const { home, objects, datasets, locateTokenizer } = options;
  const turns = createTurns();
  const workshop = join(home, 'data-sampler');
  // What a killed process has left behind.
  const cleared = rm(workshop, { recursive: true, force: true }).then(() => mkdir(workshop, { recursive: true }));

  return async function* ingest(request, signal) {
    const settings = toSettings(request);
    const origin = originOf(request);
    const known = await datasets.findMade(request.name, origin);
    if (known) return yield { kind: 'made', dataset: known };
    const sizes = await sizesOf(request.sources, objects);
    const tokenizer = await locateTokenizer(request.tokenizer, signal);

    const events = createQueue<IngestionEvent>();
    const meter = createProgressMeter((progress) => events.push({ kind: 'progress', progress }));
    const work = async (): Promise<void> => {
      using _turn = await turns.take(signal, () => meter.report('waiting', 0, 0, 'datasets'));
      await cleared;
      await using folder = await createFolder(workshop);
      const job: Job = { ...options, request, settings, origin, sizes, tokenizer, folder: folder.path, meter, signal };
      // The same request may have been the one before.
      const dataset = (await datasets.findMade(request.name, origin)) ?? (await makeDataset(job));
      events.push({ kind: 'made', dataset });
      events.end();
    };
    work().catch(events.fail);
    yield* events;
  };
}

async function createFolder(workshop: string): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(workshop, 'ingest-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

interface Job extends IngestionOptions {
  request: CreateDatasetRequest;
  settings: BuildSettings;
  origin: Origin;
  sizes: number[];
  tokenizer: LocatedTokenizer;
  folder: string;
  meter: ProgressMeter;
  signal: AbortSignal;
}

async function makeDataset(job: Job): Promise<Dataset> {
  const { request, origin, objects, datasets } = job;
  const keys = request.sources.map(({ object }) => object?.key ?? '');
  const built = await withLocalFiles(objects, keys, (paths) => build(job, paths));
  const version = await datasets.reserve(request.name, origin);
  return datasets.complete(await store(job, version, built));
}

async function build(job: Job, paths: readonly string[]): Promise<IngestResult> {
  const { request, settings, sizes, tokenizer, folder, shardTokens, meter, signal } = job;
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const sources = request.sources.map(({ object, format, split }, i) => ({
    path: paths[i] as string,
    name: fileNameOf(object),
    format: isFormat(format) ? format : ('' as const),
    split: splitNameOf(split),
    sha256: object?.sha256 ?? '',
  }));
  const worker = createWorker<IngestMethods>(new URL('./ingest.worker.ts', import.meta.url));
  const close = () => void worker.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    meter.report('reading', 0, total, 'bytes');
    const input = { settings, sources, tokenizer: tokenizer.content, folder, shardTokens };
    const onProgress = (bytes: unknown) => meter.report('reading', bytes as number, total, 'bytes');
    return await worker.call('ingest', input, { signal, onProgress });
  } finally {
    signal.removeEventListener('abort', close);
    await worker.close();
  }
}

const fileNameOf = (object: ObjectRef | undefined): string => object?.key.split('/').at(-1) ?? '';

/** Writes the parts, then the manifest. Where an earlier attempt got as far as that, its work counts. */
async function store(job: Job, version: string, built: IngestResult): Promise<StoredManifest> {
  const { request, objects, folder, meter, signal } = job;
  const prefix = objectKeys.dataset(request.name, version);
  const finished = await findManifest(objects, prefix);
  if (finished) return finished;
  const shards = built.splits.flatMap((split) => split.shards.flatMap(({ tokens, index }) => [tokens, index]));
  const files = [...shards, ...built.tokenizerParts];
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, file))).size));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const artifact = createArtifact(objects, prefix);
  let done = 0;
  for (const [i, file] of files.entries()) {
    meter.report('storing', done, total, 'bytes');
    await artifact.write(file, createReadStream(join(folder, file), { highWaterMark: 1 << 20 }), { signal });
    done += sizes[i] ?? 0;
  }
  return artifact.commit({
    kind: 'dataset',
    name: request.name,
    version,
    created_at: new Date().toISOString(),
    metadata: { ...toMetadata(job, built) },
  });
}

const findManifest = (objects: ObjectStore, prefix: string): Promise<StoredManifest | undefined> =>
  readManifest(objects, prefix).catch((error) => {
    if (hasCode(error, 'NOT_FOUND')) return undefined;
    throw error;
  });

function toMetadata({ request, settings, tokenizer, sizes }: Job, built: IngestResult): DatasetMetadata {
  const { kind, labelNames: _, ...rest } = settings;
  return {
    kind,
    tokenizer: { ...tokenizer.ref, sha256: built.tokenizerSha256 },
    vocab_size: built.vocabSize,
    token_bytes: built.tokenBytes,
    splits: built.splits.map(({ lossTokens, shards, ...statistics }) => ({
      ...statistics,
      loss_tokens: lossTokens,
      shards: shards.map(({ tokens, index, tokenCount, rowCount }) => ({
        tokens,
        index,
        token_count: tokenCount,
        row_count: rowCount,
      })),
    })),
    label_names: built.labelNames,
    dropped: built.dropped,
    dropped_rows: built.droppedRows.map(({ reason, source, line }) => ({ reason, source, line })),
    settings: rest,
    sources: request.sources.map((source, i) => toSourceMetadata(source, sizes[i] ?? 0)),
  };
}

const toSourceMetadata = ({ object, split }: Source, sizeBytes: number): DatasetMetadata['sources'][number] => ({
  key: object?.key ?? '',
  sha256: object?.sha256 ?? '',
  size_bytes: sizeBytes,
  split: splitNameOf(split) ?? '',
});
