import { expect, test } from '@jest/globals';
import { readerOfBytes } from './byte-source.ts';
import { ggufFile, rawValue } from './gguf.fixture.ts';
import { readGgufHeader, readGgufTensor } from './gguf.ts';

const { u32, u64, text } = rawValue;
const header = (bytes: Uint8Array) => readGgufHeader(readerOfBytes(bytes));
const f32 = (name: string, shape: number[], offset: number | bigint) => ({ name, shape, offset });

test('a small file is read, with its data behind the aligned header', async () => {
  const data = Buffer.alloc(36);
  data.writeFloatLE(2.5, 4);
  data.writeFloatLE(-1, 32);
  const tensors = [f32('a', [2, 3], 0), f32('b', [1], 32)];
  const file = readerOfBytes(ggufFile({ metadata: [['general.name', 'x']], tensors, data }));
  const { version, metadata, entries } = await readGgufHeader(file);
  expect([version, metadata.get('general.name')]).toEqual([3, 'x']);
  const [a, b] = await Promise.all(entries.map((entry) => readGgufTensor(file, entry)));
  expect([a?.shape, [...(a?.data ?? [])]]).toEqual([
    [2, 3],
    [0, 2.5, 0, 0, 0, 0],
  ]);
  expect([...(b?.data ?? [])]).toEqual([-1]);
});

test('a header longer than the first read is read all the same', async () => {
  const long = 'x'.repeat(9 << 20);
  const { metadata } = await header(
    ggufFile({
      metadata: [
        ['long', long],
        ['end', 7],
      ],
    }),
  );
  expect(metadata.get('long')).toHaveLength(long.length);
  expect(metadata.get('end')).toBe(7);
});

const nested = (depth: number): Buffer =>
  depth === 0 ? Buffer.concat([u32(4), u64(0)]) : Buffer.concat([u32(9), u64(1), nested(depth - 1)]);

test.each<[what: string, file: Uint8Array, message: RegExp]>([
  ['another magic', ggufFile({ magic: 'GGML' }), /does not begin with "GGUF"/],
  ['nothing', new Uint8Array(0), /ends inside its header/],
  ['version 1', ggufFile({ version: 1 }), /version 1/],
  ['the other byte order', ggufFile({ version: 0x03000000 }), /version 50331648/],
  ['more tensors than bytes', ggufFile({ tensorCount: 2n ** 63n }), /a size of 9223372036854775808/],
  ['more tensors than it has', ggufFile({ tensorCount: 3 }), /tensor|ends inside its header/],
  ['an unknown value type', ggufFile({ metadata: [['a', u32(13)]] }), /unknown value type 13/],
  [
    'a key twice',
    ggufFile({
      metadata: [
        ['a', 1],
        ['a', 2],
      ],
    }),
    /"a" stands twice/,
  ],
  ['an endless text', ggufFile({ metadata: [['a', Buffer.concat([u32(8), u64(1e6)])]] }), /a count of 1000000/],
  [
    'a text beyond the end',
    ggufFile({ metadata: [['a', Buffer.concat([u32(8), u64(60)])]] }),
    /ends inside its header/,
  ],
  [
    'arrays nested without end',
    ggufFile({ metadata: [['a', Buffer.concat([u32(9), nested(9)])]] }),
    /nested more than 4/,
  ],
  ['five dimensions', ggufFile({ tensors: [f32('a', [1, 1, 1, 1, 1], 0)], data: Buffer.alloc(4) }), /has 5 dimensions/],
  ['an alignment of 0', ggufFile({ metadata: [['general.alignment', 0]] }), /alignment is 0/],
  [
    'a tensor twice',
    ggufFile({ tensors: [f32('a', [1], 0), f32('a', [1], 32)], data: Buffer.alloc(36) }),
    /"a" stands twice/,
  ],
  [
    'overlapping tensors',
    ggufFile({ tensors: [f32('a', [9], 0), f32('b', [1], 32)], data: Buffer.alloc(64) }),
    /"b" overlaps/,
  ],
  [
    'an unaligned tensor',
    ggufFile({ tensors: [f32('a', [1], 4)], data: Buffer.alloc(8) }),
    /offset 4 is no multiple of 32/,
  ],
  ['a tensor beyond the end', ggufFile({ tensors: [f32('a', [9], 0)], data: Buffer.alloc(35) }), /cut off/],
  [
    'half a block',
    ggufFile({ tensors: [{ ...f32('a', [33], 0), type: 8 }], data: Buffer.alloc(99) }),
    /rows of 33 are no whole blocks of Q8_0/,
  ],
  [
    'a type that is known and not read',
    ggufFile({ tensors: [{ ...f32('a', [256], 0), type: 14 }] }),
    /Q6_K is not read; F32, F16/,
  ],
  ['an unknown type', ggufFile({ tensors: [{ ...f32('a', [1], 0), type: 999 }] }), /type 999 is not read/],
])('a file with %s is refused with the reason', async (_, file, message) => {
  await expect(header(file)).rejects.toThrow(message);
});

test('a text keeps a byte order mark', async () => {
  const { metadata } = await header(ggufFile({ metadata: [['a', Buffer.concat([u32(8), text('\ufeffx')])]] }));
  expect(metadata.get('a')).toBe('\ufeffx');
});
