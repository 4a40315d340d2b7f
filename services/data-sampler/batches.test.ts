// Reading datasets: batches, mixtures and previews; refusals, and files that are damaged.
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import {
  type Dataset,
  Split,
  type StreamBatchesResponse,
} from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { fromInt32Bytes } from '#lib/contracts/int32.ts';
import { objectKeys } from '#lib/contracts/keys.ts';
import {
  batchesOf,
  book,
  chars,
  client,
  documents,
  home,
  instructions,
  jsonl,
  labelled,
  makeFrom,
  rowsOf,
  type Stream,
  story,
  text,
  train,
} from './service.fixture.ts';

test('batches: targets are the next tokens; every batch follows from seed and index alone', async () => {
  const batches = await batchesOf([book.ref], { maxBatches: 20 });
  expect(batches.map(({ firstSample }) => firstSample)).toEqual(Array.from({ length: 20 }, (_, i) => 4 * i));
  const [inputs, targets] = [rowsOf(batches), rowsOf(batches, 'targetIds')];
  inputs.forEach((row, i) => {
    expect(targets[i]?.slice(0, -1)).toEqual(row.slice(1));
    expect(story).toContain(chars.decode([...row, targets[i]?.at(-1) ?? 0]));
  });
  expect(rowsOf(await batchesOf([book.ref], { maxBatches: 5, startSample: 60 }))).toEqual(inputs.slice(60));
  expect(rowsOf(await batchesOf([book.ref], { maxBatches: 40, batchSize: 2 }))).toEqual(inputs);
  expect(rowsOf(await batchesOf([book.ref], { maxBatches: 20, seed: 4 }))).not.toEqual(inputs);
  const ranks = await Promise.all(
    [0, 1, 2].map((rank) => batchesOf([book.ref], { maxBatches: 6, rank, worldSize: 3 })),
  );
  const shared = ranks.map((own) => rowsOf(own));
  expect(Array.from({ length: 72 }, (_, i) => shared[i % 3]?.[Math.floor(i / 3)])).toEqual(inputs.slice(0, 72));
});

test('one pass in stored order has every target once, the last window short, padded and masked', async () => {
  const batches = await batchesOf([book.ref], { sequential: true, split: Split.SPLIT_VALIDATION, batchSize: 7 });
  const scored = batches.flatMap((batch) => {
    const targets = [...fromInt32Bytes(batch.targetIds)];
    return batch.lossMask.length ? targets.filter((_, i) => batch.lossMask[i]) : targets;
  });
  expect(chars.decode(scored)).toBe(story.slice(Math.floor(0.9 * story.length) + 1));
  const last = batches.at(-1) as StreamBatchesResponse;
  const rest = scored.length % 16;
  expect(fromInt32Bytes(last.lengths).at(-1)).toBe(rest || 16);
  expect(last.inputIds.length).toBe(4 * 16 * last.rows);
});

test('labelled rows: labels by name, whole rows with their lengths', async () => {
  const rows = jsonl(Array.from({ length: 60 }, (_, i) => ({ text: `row ${i}`, label: i % 3 ? 'ham' : 'spam' })));
  const dataset = await makeFrom(rows, 'rows.jsonl', { name: 'rows', ...labelled, validationShare: 0 });
  expect(dataset.labelNames).toEqual(['ham', 'spam']);
  expect(dataset.splits[0]?.labels).toEqual({ ham: 40, spam: 20 });
  const batches = await batchesOf([dataset.ref], { maxBatches: 15 });
  const seen = batches.flatMap((batch) => {
    const [labels, lengths] = [fromInt32Bytes(batch.labels), fromInt32Bytes(batch.lengths)];
    expect(batch.targetIds.length).toBe(0);
    return rowsOf([batch]).map((ids, i) => [chars.decode(ids.slice(0, lengths[i])), labels[i]]);
  });
  const expected = Array.from({ length: 60 }, (_, i) => [`row ${i}`, i % 3 ? 0 : 1]);
  expect(new Map(seen as [string, number][])).toEqual(new Map(expected as [string, number][]));
});

test('instructions: only what the assistant says carries loss, end token included; padding never does', async () => {
  const rows = jsonl([
    { instruction: 'Say one.', output: 'one' },
    { instruction: 'Say two.', input: 'in words', output: 'two' },
  ]);
  const dataset = await makeFrom(rows, 'chat.jsonl', { name: 'chat', ...instructions, validationShare: 0 });
  const [batch] = await batchesOf([dataset.ref], { sequential: true, blockSize: 128 });
  const targets = fromInt32Bytes(batch?.targetIds ?? Buffer.alloc(0));
  const spoken = [0, 1].map((row) =>
    chars.decode([...targets.subarray(128 * row, 128 * row + 128)].filter((_, i) => batch?.lossMask[128 * row + i])),
  );
  expect(spoken).toEqual(['one<|im_end|>', 'two<|im_end|>']);
  expect(dataset.splits[0]?.lossTokens).toBe(8);
});

test('a mixture keeps its weights; its preview shows samples as text, and the shares', async () => {
  const other = await makeFrom(story.toUpperCase(), 'upper.txt', { name: 'upper', ...text });
  const mixture = [
    { dataset: book.ref, weight: 3 },
    { dataset: other.ref, weight: 1 },
  ] as { dataset: ArtifactRef; weight: number }[];
  const preview = await client.previewMixture({
    mixture,
    split: Split.SPLIT_TRAIN,
    seed: 3,
    blockSize: 16,
    samples: 40,
  });
  expect(preview.shares.map(({ share }) => share)).toEqual([0.75, 0.25]);
  expect(preview.shares[0]?.epochsPerMillionSamples).toBeCloseTo(750_000 / ((0.9 * story.length) / 16 - 1), -1);
  const upper = preview.samples.filter(({ text: sample }) => sample === sample.toUpperCase());
  expect(upper.length).toBe(10);
  const batches: StreamBatchesResponse[] = [];
  for await (const batch of client.streamBatches({ mixture, ...train, maxBatches: 10 })) batches.push(batch);
  expect(rowsOf(batches).map((ids) => chars.decode(ids))).toEqual(preview.samples.map(({ text: sample }) => sample));
});

test('a preview of conversations shows what carries loss, one of labelled rows the label', async () => {
  const preview = (name: string) =>
    client.previewMixture({ mixture: [{ dataset: { name } }], split: Split.SPLIT_TRAIN, blockSize: 128, samples: 2 });
  const chat = await preview('chat');
  expect(chat.samples.map(({ lossText }) => lossText).sort()).toEqual(['one<|im_end|>', 'two<|im_end|>']);
  expect(chat.samples[0]?.text).toContain('<|im_start|>user\nSay ');
  expect((await preview('rows')).samples[0]?.label).toMatch(/ham|spam/);
});

beforeAll(async () => {
  await makeFrom(story, 'g.txt', { name: 'for-gpt2', ...text, tokenizer: { name: 'gpt2' } });
});

test.each<[string, Stream, string, string]>([
  ['no dataset', { mixture: [] }, 'INVALID_ARGUMENT', 'mixture'],
  ['no split', { split: Split.SPLIT_UNSPECIFIED }, 'INVALID_ARGUMENT', 'split'],
  ['a batch of nothing', { batchSize: 0 }, 'INVALID_ARGUMENT', 'batch_size'],
  ['a window of nothing', { blockSize: 0 }, 'INVALID_ARGUMENT', 'block_size'],
  ['a batch larger than a message', { batchSize: 100_000, blockSize: 1024 }, 'INVALID_ARGUMENT', 'block_size'],
  ['a window longer than the text', { blockSize: 1_000_000 }, 'FAILED_PRECONDITION', 'block_size'],
  ['a rank beyond the world', { rank: 2, worldSize: 2 }, 'INVALID_ARGUMENT', 'rank'],
  ['a part that is empty', { split: Split.SPLIT_TEST }, 'FAILED_PRECONDITION', 'split'],
  [
    'a negative weight',
    { mixture: [{ dataset: { name: 'book' }, weight: -1 }] },
    'INVALID_ARGUMENT',
    'mixture[0].weight',
  ],
  [
    'two kinds',
    { mixture: [{ dataset: { name: 'book' } }, { dataset: { name: 'rows' } }] },
    'INVALID_ARGUMENT',
    'mixture[1].dataset',
  ],
  [
    'two tokenizers',
    { mixture: [{ dataset: { name: 'book' } }, { dataset: { name: 'for-gpt2' } }] },
    'INVALID_ARGUMENT',
    'mixture[1].dataset',
  ],
])('batches of %s are refused by their field', async (_, request, code, field) => {
  await expect(batchesOf([book.ref], { maxBatches: 1, batchSize: 1, ...request })).rejects.toMatchObject({
    code,
    violations: [{ field }],
  });
});

test('an unknown dataset is NOT_FOUND', async () => {
  await expect(batchesOf([{ name: 'nobody', version: '' }], {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(batchesOf([{ name: 'book', version: 'v9' }], {})).rejects.toThrow('there is v1');
});

const fileOf = (dataset: Dataset, part: string): string =>
  join(home, 'objects', objectKeys.dataset(dataset.ref?.name ?? '', dataset.ref?.version ?? ''), part);
test.each<[string, string, (path: string) => void]>([
  ['truncated', 'train-00003.bin', (path) => truncateSync(path, statSync(path).size - 2)],
  [
    'altered by one bit',
    'train-00005.bin',
    (path) =>
      writeFileSync(
        path,
        readFileSync(path).map((byte, i) => byte ^ Number(i === 77)),
      ),
  ],
])('a shard that is %s is DATA_LOSS naming it, and the others still serve', async (_, part, damage) => {
  const dataset = await makeFrom(documents, 'd.jsonl', { name: 'damaged', ...text });
  const path = fileOf(dataset, part);
  expect(existsSync(path)).toBe(true);
  damage(path);
  await expect(batchesOf([dataset.ref], { maxBatches: 1 })).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringContaining(`${objectKeys.dataset('damaged', dataset.ref?.version ?? '')}/${part} is damaged`),
  });
  expect(await batchesOf([dataset.ref], { split: Split.SPLIT_VALIDATION, maxBatches: 1 })).toHaveLength(1);
  expect(await batchesOf([book.ref], { maxBatches: 1 })).toHaveLength(1);
});

test('a shard cut short while it is open is DATA_LOSS too', async () => {
  const dataset = await makeFrom(story, 'd.txt', { name: 'cut', ...text });
  await batchesOf([dataset.ref], { maxBatches: 1 });
  truncateSync(fileOf(dataset, 'train-00000.bin'), 0);
  await expect(batchesOf([dataset.ref], { maxBatches: 2000 })).rejects.toMatchObject({ code: 'DATA_LOSS' });
});

test('windows run across shards as if there were none', async () => {
  const dataset = await makeFrom(documents, 'd.jsonl', { name: 'many', ...text, validationShare: 0 });
  const batches = await batchesOf([dataset.ref], { sequential: true, blockSize: 1000 });
  const targets = batches
    .flatMap((batch) => [...fromInt32Bytes(batch.targetIds)])
    .slice(0, (dataset.splits[0]?.tokens ?? 0) - 1);
  const expected = documents
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row).text)
    .join('<|endoftext|>');
  expect(chars.decode(targets)).toBe(expected.slice(1));
});

test('a stream without end stops when its reader leaves; many run side by side', async () => {
  const streams = Array.from({ length: 12 }, async (_, seed) => {
    let count = 0;
    const mixture = [{ dataset: book.ref as ArtifactRef }];
    for await (const batch of client.streamBatches({ mixture, ...train, seed })) {
      expect(batch.firstSample).toBe(4 * count);
      if (++count === 200) break;
    }
    return count;
  });
  expect(await Promise.all(streams)).toEqual(Array(12).fill(200));
});
