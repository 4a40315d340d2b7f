// `make bench NAME=batches`: how fast the data sampler's batches reach another process over gRPC on loopback, for the two shapes that training on a
// CPU uses and one that fills a GPU, one stream and four side by side. Goal: 2,000 batches/s, so that no trainer waits. Last line: JSON.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DataSamplerServiceDefinition,
  DatasetKind,
  Split,
} from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { connect } from '#lib/platform/grpc-client.ts';
import { createLogger } from '#lib/platform/log.ts';
import { openPlatform } from '#lib/platform/platform.ts';
import { noTelemetry } from '#lib/platform/telemetry.ts';
import { loadConfig } from '../../services/data-sampler/config.ts';
import { start } from '../../services/data-sampler/main.ts';

const root = join(import.meta.dirname, '../..');
const rounds = 3;
const seconds = 2;
const goal = 2000;

interface Shape {
  batchSize: number;
  blockSize: number;
}
const shapes: Shape[] = [
  { batchSize: 12, blockSize: 64 },
  { batchSize: 8, blockSize: 256 },
  { batchSize: 32, blockSize: 1024 },
];

interface Asked extends Shape {
  address: string;
  streams: number;
}

interface Rate {
  batches: number;
  megabytes: number;
}

/** In the reading process: what arrives in a second, all streams together. */
async function read({ address, streams, ...shape }: Asked): Promise<Rate> {
  const { client, close } = connect(DataSamplerServiceDefinition, address);
  const request = { mixture: [{ dataset: { name: 'docs' } }], split: Split.SPLIT_TRAIN, ...shape };
  let [batches, bytes] = [0, 0];
  const readOne = async (seed: number, until: number): Promise<void> => {
    for await (const { inputIds, targetIds } of client.streamBatches({ ...request, seed })) {
      batches++;
      bytes += inputIds.length + targetIds.length;
      if (performance.now() > until) return;
    }
  };
  await readOne(99, performance.now() + 300); // opened and warm
  [batches, bytes] = [0, 0];
  const began = performance.now();
  await Promise.all(Array.from({ length: streams }, (_, seed) => readOne(seed, began + 1000 * seconds)));
  const passed = (performance.now() - began) / 1000;
  await close();
  return { batches: batches / passed, megabytes: bytes / 1e6 / passed };
}

async function readElsewhere(asked: Asked): Promise<Rate> {
  const child = fork(import.meta.filename, [JSON.stringify(asked)]);
  const [rate] = await once(child, 'message');
  return rate;
}

async function* uploadOf(text: string) {
  yield { part: { $case: 'header', value: { filename: 'docs.txt' } } } as const;
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 1 << 20)
    yield { part: { $case: 'chunk', value: bytes.subarray(at, at + (1 << 20)) } } as const;
}

async function measure(home: string): Promise<void> {
  const config = loadConfig({ STRATA_HOME: home, STRATA_DATA_SAMPLER_PORT: '0', STRATA_DRAIN_MS: '100' });
  const platform = await openPlatform(config);
  const service = await start(config, {
    platform,
    log: createLogger({ service: 'bench', level: 'error' }),
    connect,
    ...noTelemetry(),
  });
  const { client, close } = connect(DataSamplerServiceDefinition, service.address);
  const files = globSync('node_modules/**/*.md', { cwd: root }).sort().slice(0, 300);
  const text = files.map((file) => readFileSync(join(root, file), 'utf8').toWellFormed()).join('\n\0');
  const { source: object } = await client.uploadSource(uploadOf(text.replaceAll('\0', '')));
  const request = { name: 'docs', kind: DatasetKind.DATASET_KIND_TEXT, tokenizer: { name: 'gpt2' } };
  const began = performance.now();
  for await (const { event } of client.createDataset({ ...request, sources: [{ object }] })) {
    if (event?.$case !== 'dataset') continue;
    const tokens = event.value.splits.reduce((sum, split) => sum + split.tokens, 0);
    const rate = (text.length / 1e3 / (performance.now() - began)).toFixed(1);
    console.log(`ingested ${(text.length / 1e6).toFixed(1)} MB of documentation, ${tokens} tokens, at ${rate} MB/s`);
  }
  const results = [];
  for (const shape of shapes) {
    for (const streams of [1, 4]) {
      const rates: Rate[] = [];
      for (let round = 0; round < rounds; round++)
        rates.push(await readElsewhere({ address: service.address, streams, ...shape }));
      const [, median] = rates.sort((a, b) => a.batches - b.batches) as [Rate, Rate];
      const name = `${shape.batchSize} x ${shape.blockSize}, ${streams} stream${streams > 1 ? 's' : ''}`;
      console.log(`${name}: ${median.batches.toFixed(0)} batches/s, ${median.megabytes.toFixed(0)} MB/s`);
      results.push({ ...shape, streams, ...median });
    }
  }
  await close();
  await service.stop();
  await platform.close();
  const slowest = Math.min(...results.filter(({ blockSize }) => blockSize < 1024).map(({ batches }) => batches));
  console.log(JSON.stringify({ name: 'batches', goal, ratio: slowest / goal, results }));
}

const [asked] = process.argv.slice(2);
if (asked) {
  process.send?.(await read(JSON.parse(asked)));
  process.disconnect();
} else {
  const home = mkdtempSync(join(tmpdir(), 'strata-bench-'));
  try {
    await measure(home);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
