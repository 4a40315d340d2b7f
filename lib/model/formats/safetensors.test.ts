import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Weights, weightTensor } from '../weights.ts';
import { readerOfBytes } from './byte-source.ts';
import { readSafetensors } from './safetensors.ts';
import { readShardedSafetensors } from './sharded-safetensors.ts';
import { encodeSafetensors, safetensorsSize, writeSafetensors } from './write-safetensors.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strata-safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

const weights: Weights = new Map([
  ['b', weightTensor([2, 3], Float32Array.of(1, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45, 0.1))],
  ['a', weightTensor([], Float32Array.of(7))],
  ['0', weightTensor([0, 4], new Float32Array(0))],
  ['ü"\\', weightTensor([1], Float32Array.of(3))],
]);

const bytesOf = (source: Weights): Uint8Array => Buffer.concat([...encodeSafetensors(source)]);

/** A file with any header, and `dataSize` zero bytes behind it. */
function fileWith(header: unknown, dataSize: number): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(dataSize)]);
}

const read = (bytes: Uint8Array) => readSafetensors(readerOfBytes(bytes));

test('what is written is read back bit for bit, in the order of the map', async () => {
  const path = join(folder, 'model.safetensors');
  await writeSafetensors(path, weights);
  const again = await readSafetensors(path);
  expect([...again.keys()]).toEqual([...weights.keys()]);
  for (const [name, { shape, data }] of weights) {
    expect(again.get(name)?.shape).toEqual(shape);
    expect(Buffer.from(again.get(name)?.data.buffer as ArrayBuffer)).toEqual(Buffer.from(data.buffer));
  }
  expect((await readFile(path)).length).toBe(safetensorsSize(weights));
  expect(await readdir(folder)).toEqual(['model.safetensors']);
});

test('the same weights give the same bytes, and the data begins on a boundary of eight', () => {
  expect(bytesOf(weights)).toEqual(bytesOf(new Map(weights)));
  expect(Buffer.from(bytesOf(weights)).readBigUInt64LE() % 8n).toBe(0n);
});

test('a failed write leaves no file behind', async () => {
  await expect(writeSafetensors(join(folder, 'no', 'such'), weights)).rejects.toThrow('ENOENT');
  const broken = new Map([...weights, ['x', { ...weightTensor([1], new Float32Array(1)), data: undefined as never }]]);
  await expect(writeSafetensors(join(folder, 'broken'), broken)).rejects.toThrow(TypeError);
  expect(await readdir(folder)).not.toContain('broken.unfinished');
});

test('only selected tensors are read', async () => {
  const bytes = bytesOf(weights);
  const lengths: number[] = [];
  const reader = readerOfBytes(bytes);
  const counting = {
    size: reader.size,
    read: (offset: number, length: number) => {
      lengths.push(length);
      return reader.read(offset, length);
    },
  };
  const some = await readSafetensors(counting, { select: (name) => name === 'a' });
  expect([...some.keys()]).toEqual(['a']);
  expect(lengths.slice(2)).toEqual([4]);
});

const f32 = (shape: unknown, data_offsets: unknown) => ({ dtype: 'F32', shape, data_offsets });

test.each<[what: string, file: Uint8Array, message: RegExp]>([
  ['nothing', new Uint8Array(0), /0 bytes are no file/],
  ['a header length beyond the file', fileWith('{}', 0).fill(255, 0, 8), /header of 18446744073709551615 bytes/],
  ['a header that is no JSON', fileWith('{"a":', 0), /no valid JSON/],
  ['a header that is no UTF-8', fileWith('{"a":1}', 0).fill(0xff, 10, 11), /no valid JSON/],
  ['a header that is a list', fileWith('[]', 0), /no JSON object/],
  [
    'a tensor twice',
    fileWith('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{}}', 1),
    /"a" stands twice/,
  ],
  [
    'a key of a tensor twice',
    fileWith('{"a":{"dtype":"U8","dtype":"I8","shape":[],"data_offsets":[0,1]}}', 1),
    /"dtype" stands twice/,
  ],
  ['an entry that is no object', fileWith({ a: 3 }, 0), /tensor "a": no object/],
  ['an unknown dtype', fileWith({ a: { ...f32([1], [0, 4]), dtype: 'Q9' } }, 4), /dtype "Q9" is not one of F64, F32/],
  ['a dtype from the prototype', fileWith({ a: { ...f32([1], [0, 4]), dtype: 'toString' } }, 4), /dtype "toString"/],
  ['a negative side', fileWith({ a: f32([-1], [0, 4]) }, 4), /shape \[-1\] is no list of sizes/],
  ['a fractional side', fileWith({ a: f32([0.5], [0, 2]) }, 2), /no list of sizes/],
  ['a shape that overflows', fileWith({ a: f32([2 ** 40, 2 ** 40], [0, 4]) }, 4), /its offsets \[0,4\] do not/],
  ['offsets back to front', fileWith({ a: f32([1], [4, 0]) }, 4), /takes 4 bytes/],
  ['one offset', fileWith({ a: f32([1], [4]) }, 4), /no two offsets/],
  ['offsets that do not fit the shape', fileWith({ a: f32([2], [0, 4]) }, 4), /F32 \[2\] takes 8 bytes/],
  ['overlapping tensors', fileWith({ a: f32([2], [0, 8]), b: f32([1], [4, 8]) }, 8), /"b" overlaps/],
  ['a hole between tensors', fileWith({ a: f32([1], [0, 4]), b: f32([1], [8, 12]) }, 12), /4 unused bytes before "b"/],
  ['bytes behind the last tensor', fileWith({ a: f32([1], [0, 4]) }, 5), /1 bytes behind the last tensor/],
  ['a truncated file', fileWith({ a: f32([2], [0, 8]) }, 7), /cut off: \d+ of \d+ bytes/],
  ['metadata that is no map of texts', fileWith({ __metadata__: { a: 1 } }, 0), /no map of texts/],
])('a file with %s is refused with the reason', async (_, file, message) => {
  await expect(read(file)).rejects.toThrow(message);
});

test('shards are read through their index', async () => {
  const shards = {
    'a.safetensors': new Map([...weights].slice(0, 2)),
    'b.safetensors': new Map([...weights].slice(2)),
  };
  const open = (file: string) => readerOfBytes(bytesOf(shards[file as keyof typeof shards]));
  const places = Object.entries(shards).flatMap(([file, part]) => [...part.keys()].map((name) => [name, file]));
  const index = { weight_map: Object.fromEntries(places) };
  expect(new Set((await readShardedSafetensors(index, open)).keys())).toEqual(new Set(weights.keys()));

  const { a: _, ...withoutA } = index.weight_map;
  await expect(readShardedSafetensors({ weight_map: withoutA }, open)).rejects.toThrow('does not place "a"');
  const withMore = { weight_map: { ...index.weight_map, more: 'a.safetensors' } };
  await expect(readShardedSafetensors(withMore, open)).rejects.toThrow('"more" is not in a.safetensors');
  await expect(readShardedSafetensors({ weight_map: { a: '../../etc/passwd' } }, open)).rejects.toThrow('no file name');
  await expect(readShardedSafetensors({}, open)).rejects.toThrow('no weight_map');
});
