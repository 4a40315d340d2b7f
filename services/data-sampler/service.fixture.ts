// The service as callers see it: a real server on a free port, real stores in a temporary home. It runs while the tests of the importing file do.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import type { ArtifactRef, ObjectRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import {
  type CreateDatasetRequest,
  type DataSamplerServiceClient,
  DataSamplerServiceDefinition,
  type Dataset,
  DatasetKind,
  type DeepPartial,
  Split,
  type StreamBatchesRequest,
  type StreamBatchesResponse,
} from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { fromInt32Bytes } from '#lib/contracts/int32.ts';
import { objectKeys } from '#lib/contracts/keys.ts';
import { type Connection, connect } from '#lib/platform/grpc-client.ts';
import type { GrpcServer } from '#lib/platform/grpc-server.ts';
import { createLogger } from '#lib/platform/log.ts';
import { writeArtifact } from '#lib/platform/manifest.ts';
import { openPlatform, type Platform } from '#lib/platform/platform.ts';
import type { RunningService } from '#lib/platform/run-service.ts';
import { noTelemetry } from '#lib/platform/telemetry.ts';
import { defaultSpecialTokens } from '#lib/text/default-roles.ts';
import { writeTokenizerFiles } from '#lib/text/tokenizer-files.ts';
import { createCharTrainer } from '#lib/text/train-char.ts';
import { serveAssistant } from '../../tests/support/serve-assistant.ts';
import { loadConfig } from './config.ts';
import { start } from './main.ts';

const log = createLogger({ service: 'data-sampler', destination: { write: () => undefined } });
const trainer = createCharTrainer({ specialTokens: defaultSpecialTokens });
trainer.add(`${Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('')}\n`);
export const chars = trainer.finish();
export const charsRef = { name: 'chars', version: '' };

export let home: string;
export let platform: Platform;
let service: RunningService;
let models: GrpcServer;
let connection: Connection<typeof DataSamplerServiceDefinition>;
export let client: DataSamplerServiceClient;
/** `story` as a dataset. */
export let book: Dataset;

const environment = () => ({
  STRATA_HOME: home,
  STRATA_DATA_SAMPLER_PORT: '0',
  STRATA_DRAIN_MS: '100',
  STRATA_DATA_SAMPLER_SHARD_TOKENS: '2000',
  STRATA_WEIGHT_LOADER_ADDRESS: models.address,
});

export const startService = async (): Promise<void> => {
  service = await start(loadConfig(environment()), { platform, log, connect, ...noTelemetry() });
  connection = connect(DataSamplerServiceDefinition, service.address);
  client = connection.client;
};
export const stopService = async (): Promise<void> => {
  await connection.close();
  await service.stop();
};

const storeTokenizer = (prefix: string, kind: string) => {
  const parts = Object.fromEntries(
    Object.entries(writeTokenizerFiles(chars)).map(([name, text]) => [name, Buffer.from(text)]),
  );
  const header = { kind, name: 'chars', version: 'v1', created_at: '', metadata: {} };
  return writeArtifact(platform.objects, prefix, { ...header, parts });
};

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-data-sampler-'));
  models = await serveAssistant(log);
  platform = await openPlatform(loadConfig(environment()));
  await storeTokenizer(objectKeys.tokenizer('chars', 'v1'), 'tokenizer');
  await storeTokenizer('models/assistant/v3', 'model');
  await startService();
  book = await makeFrom(story, 'story.txt', { name: 'book', ...text, seed: 1 });
});

afterAll(async () => {
  await stopService();
  await models.stop();
  await platform.close();
  await rm(home, { recursive: true });
});

export async function upload(content: string | Uint8Array, filename: string): Promise<ObjectRef> {
  const bytes = Buffer.from(content);
  const { source } = await client.uploadSource(
    (async function* () {
      yield { part: { $case: 'header', value: { filename, sizeBytes: bytes.length } } } as const;
      for (let at = 0; at < bytes.length; at += 100_000)
        yield { part: { $case: 'chunk', value: bytes.subarray(at, at + 100_000) } } as const;
    })(),
  );
  return source as ObjectRef;
}

export type Request = DeepPartial<CreateDatasetRequest>;

export async function createWith(request: Request): Promise<{ dataset: Dataset; phases: string[] }> {
  const phases = new Set<string>();
  for await (const { event } of client.createDataset({ tokenizer: charsRef, ...request })) {
    if (event?.$case === 'progress') phases.add(event.value.phase);
    if (event?.$case === 'dataset') return { dataset: event.value, phases: [...phases] };
  }
  throw new Error('no dataset came');
}
export const create = async (request: Request): Promise<Dataset> => (await createWith(request)).dataset;

export const makeFrom = async (content: string | Uint8Array, filename: string, request: Request): Promise<Dataset> =>
  create({ ...request, sources: [{ object: await upload(content, filename) }] });

export const jsonl = (rows: unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
export const story = Array.from({ length: 800 }, (_, i) => `line ${i} of a story that goes on\n`).join('');
/** Shards of 2,000 tokens end with a document. */
export const documents = jsonl(
  Array.from({ length: 800 }, (_, i) => ({ text: `document ${i}, which is one of many` })),
);
export const text = { kind: DatasetKind.DATASET_KIND_TEXT };
export const labelled = { kind: DatasetKind.DATASET_KIND_LABELLED };
export const instructions = { kind: DatasetKind.DATASET_KIND_INSTRUCTIONS };

export type Stream = DeepPartial<StreamBatchesRequest>;
export const train = { split: Split.SPLIT_TRAIN, batchSize: 4, blockSize: 16, seed: 3 };

export async function batchesOf(refs: (ArtifactRef | undefined)[], request: Stream): Promise<StreamBatchesResponse[]> {
  const batches: StreamBatchesResponse[] = [];
  const mixture = refs.map((dataset) => ({ dataset, weight: 1 }));
  for await (const batch of client.streamBatches({ mixture, ...train, ...request } as Stream)) batches.push(batch);
  return batches;
}

/** Rows of ids, batch after batch. */
export const rowsOf = (batches: StreamBatchesResponse[], field: 'inputIds' | 'targetIds' = 'inputIds'): number[][] =>
  batches.flatMap((batch) => {
    const ids = fromInt32Bytes(batch[field]);
    return Array.from({ length: batch.rows }, (_, row) => [
      ...ids.subarray(row * batch.blockSize, (row + 1) * batch.blockSize),
    ]);
  });
