import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { packInstructions, packLabelled, packWindows } from './packing.ts';
import { decodeIndex, encodeIndex } from './shard-index.ts';
import { openShards, type ShardReader } from './shard-reader.ts';
import {
  createShardWriter,
  renumberLabels,
  type ShardFiles,
  type ShardWriterOptions,
  tokenBytesOf,
} from './shard-writer.ts';
import { createTemporaryFolder, type TemporaryFolder } from './temporary-folder.fixture.ts';

const rows = [[1, 2, 3], [4], [5, 6], [7, 8, 9, 10], [11, 12]];
type Options = Omit<ShardWriterOptions, 'folder' | 'name'>;

function write(folder: TemporaryFolder, options: Options, of = rows): ShardFiles[] {
  const writer = createShardWriter({ folder: folder.path, name: 'train', ...options });
  of.forEach((row, i) => {
    writer.write(
      Int32Array.from(row),
      Uint8Array.from(row, (id) => id % 2),
    );
    writer.endRow(i % 3);
  });
  return writer.finish();
}

const open = (folder: TemporaryFolder, shards: ShardFiles[], vocabSize: number): ShardReader =>
  openShards({
    shards: shards.map(({ tokens, index }) => ({
      name: tokens,
      tokens: join(folder.path, tokens),
      index: join(folder.path, index),
    })),
    tokenBytes: tokenBytesOf(vocabSize),
  });

const tokensOf = (reader: ShardReader, start: number, length: number): number[] => {
  const into = new Int32Array(length);
  reader.read(start, into);
  return [...into];
};

test.each([
  [100, 2, 1],
  [100, 2, 4],
  [100, 2, 1000],
  [70_000, 4, 4],
])(
  'a vocabulary of %d in %d bytes, shards of %d tokens: any stretch reads as it was written',
  (vocabSize, bytes, shardTokens) => {
    using folder = createTemporaryFolder();
    const shards = write(folder, { vocabSize, shardTokens });
    expect(folder.read('train-00000.bin').length % bytes).toBe(0);
    using reader = open(folder, shards, vocabSize);
    const all = rows.flat();
    expect([reader.tokenCount, reader.rowCount]).toEqual([12, 5]);
    for (let start = 0; start < 12; start++) {
      for (let length = 0; start + length <= 12; length++) {
        expect(tokensOf(reader, start, length)).toEqual(all.slice(start, start + length));
      }
    }
    rows.forEach((row, i) => {
      const { start, length } = reader.row(i);
      expect(tokensOf(reader, start, length)).toEqual(row);
    });
  },
);

test('tokens are raw little-endian numbers, as other programs read them', () => {
  using folder = createTemporaryFolder();
  write(folder, { vocabSize: 65_536 }, [[1, 0x1234, 65_535]]);
  expect(folder.read('train-00000.bin').toString('hex')).toBe('01003412ffff');
});

test('labels and loss masks come back by row, and labels can be renumbered', () => {
  using folder = createTemporaryFolder();
  const [shard] = write(folder, { vocabSize: 100, columns: 'labels' }) as [ShardFiles];
  renumberLabels(folder.path, shard, [30, 20, 10]);
  using labelled = open(folder, [shard], 100);
  expect(rows.map((_, i) => labelled.row(i).label)).toEqual([30, 20, 10, 30, 20]);

  const masked = write(folder, { vocabSize: 100, columns: 'mask', shardTokens: 5 });
  using reader = open(folder, masked, 100);
  rows.forEach((row, i) => {
    const mask = new Uint8Array(row.length);
    reader.readMask(i, mask);
    expect([...mask]).toEqual(row.map((id) => id % 2));
  });
});

test('what the vocabulary or the split does not have is refused', () => {
  using folder = createTemporaryFolder();
  expect(() => write(folder, { vocabSize: 12 })).toThrow('token 12 is outside the vocabulary of 12');
  using reader = open(folder, write(folder, { vocabSize: 100 }), 100);
  expect(() => tokensOf(reader, 10, 3)).toThrow('tokens 10 to 13 of a split of 12');
  expect(() => reader.row(5)).toThrow('row 5 of a split of 5 rows');
});

test('a damaged shard or index is refused by its name', () => {
  using folder = createTemporaryFolder();
  const shards = write(folder, { vocabSize: 100 });
  const [tokens, index] = [folder.read('train-00000.bin'), folder.read('train-00000.idx')];
  const damaged = (name: string, content: Uint8Array, message: RegExp) => {
    folder.write(name, content);
    expect(() => open(folder, shards, 100)).toThrow(message);
    folder.write('train-00000.bin', tokens);
    folder.write('train-00000.idx', index);
  };
  damaged('train-00000.bin', tokens.subarray(0, -1), /train-00000\.bin is damaged: 23 bytes are no whole tokens/);
  damaged(
    'train-00000.bin',
    tokens.subarray(0, -2),
    /the index of train-00000\.bin is damaged: it speaks of 12 tokens, the shard has 11/,
  );
  damaged('train-00000.idx', index.subarray(0, -1), /the index of train-00000\.bin is damaged/);
  damaged('train-00000.idx', Buffer.from('nonsense'), /it is no shard index/);
  damaged(
    'train-00000.idx',
    index.map((byte, i) => byte ^ Number(i === 8)),
    /version 0 is unknown/,
  );
  damaged(
    'train-00000.idx',
    index.map((byte, i) => byte ^ Number(i === 32)),
    /its rows have 11 tokens, its header says 12/,
  );
});

test('a shard that is cut short after it was opened is an error, not zeros', () => {
  using folder = createTemporaryFolder();
  using reader = open(folder, write(folder, { vocabSize: 100 }), 100);
  folder.write('train-00000.bin', new Uint8Array(4));
  expect(() => tokensOf(reader, 0, 4)).toThrow('ends 4 bytes too soon');
});

test('an index lies anywhere in a larger buffer', () => {
  const index = { lengths: Uint32Array.of(3, 6), labels: Int32Array.of(-1, 7), mask: Uint8Array.of(5, 1) };
  const bytes = encodeIndex(index);
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  expect(decodeIndex(shifted.subarray(3), 'x')).toEqual(index);
});

test('windows: inputs, their next tokens, and a short last one that is padded and masked', () => {
  using folder = createTemporaryFolder();
  using reader = open(folder, write(folder, { vocabSize: 100 }), 100);
  const full = packWindows(
    [
      { reader, position: 0 },
      { reader, position: 7 },
    ],
    4,
  );
  expect([...full.inputs]).toEqual([1, 2, 3, 4, 8, 9, 10, 11]);
  expect([...full.targets]).toEqual([2, 3, 4, 5, 9, 10, 11, 12]);
  expect(full.mask).toBeUndefined();
  const short = packWindows(
    [
      { reader, position: 4 },
      { reader, position: 8 },
    ],
    4,
  );
  expect([...short.inputs]).toEqual([5, 6, 7, 8, 9, 10, 11, 0]);
  expect([...short.targets]).toEqual([6, 7, 8, 9, 10, 11, 12, 0]);
  expect([...(short.mask ?? [])]).toEqual([1, 1, 1, 1, 1, 1, 1, 0]);
  expect([...short.lengths]).toEqual([4, 3]);
});

test('instructions: a target carries loss where its token does; padding never does; the block cuts', () => {
  using folder = createTemporaryFolder();
  using reader = open(folder, write(folder, { vocabSize: 100, columns: 'mask' }), 100);
  const places = [0, 1, 3].map((position) => ({ reader, position }));
  const sheet = packInstructions(places, 2);
  expect([...sheet.inputs]).toEqual([1, 2, 0, 0, 7, 8]);
  expect([...sheet.targets]).toEqual([2, 3, 0, 0, 8, 9]);
  expect([...(sheet.mask ?? [])]).toEqual([0, 1, 0, 0, 0, 1]);
  expect([...sheet.lengths]).toEqual([2, 0, 2]);
});

test('labelled rows: padded with zeros, cut at the block, with lengths and classes', () => {
  using folder = createTemporaryFolder();
  using reader = open(folder, write(folder, { vocabSize: 100, columns: 'labels' }), 100);
  const sheet = packLabelled(
    [3, 1].map((position) => ({ reader, position })),
    3,
  );
  expect([...sheet.inputs]).toEqual([7, 8, 9, 4, 0, 0]);
  expect([...sheet.lengths]).toEqual([3, 1]);
  expect([...sheet.labels]).toEqual([0, 1]);
});
