// Damaged files: whatever is flipped or cut off, reading gives weights of the stated shapes or a ModelFormatError, never a crash,
// an endless loop or another error. The damage is a function of the seed.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { type ByteReader, readerOfBytes } from '#lib/model/formats/byte-source.ts';
import { readHfDirectory } from '#lib/model/formats/hf-directory.ts';
import { readLlamaGguf } from '#lib/model/formats/llama-gguf.ts';
import { readSafetensors } from '#lib/model/formats/safetensors.ts';
import { sizeOf, type Weights } from '#lib/model/weights.ts';

const golden = (file: string) => readFile(join(__dirname, 'golden/formats', file));

/** A small generator (mulberry32): numbers below `n`. */
function randomBelow(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

const readers: [name: string, file: string, header: number, read: (reader: ByteReader) => Promise<Weights>][] = [
  ['safetensors', 'dtypes.safetensors', 951, (reader) => readSafetensors(reader)],
  ['GGUF', 'llama.gguf', 2200, async (reader) => (await readLlamaGguf(reader)).weights],
  ['sharded directory', 'gpt2-sharded/model.safetensors.index.json', 2140, readWithIndex],
];

async function readWithIndex(index: ByteReader): Promise<Weights> {
  const open = async (file: string) =>
    file === 'model.safetensors.index.json'
      ? index
      : await golden(`gpt2-sharded/${file}`).then(readerOfBytes, () => undefined);
  return (await readHfDirectory(open)).weights;
}

async function outcome(bytes: Uint8Array, read: (reader: ByteReader) => Promise<Weights>): Promise<string> {
  try {
    const weights = await read(readerOfBytes(bytes));
    for (const [name, { shape, data }] of weights) {
      if (sizeOf(shape) !== data.length) return `${name}: [${shape}] has ${data.length} values`;
    }
    return 'read';
  } catch (error) {
    return (error as Error).name;
  }
}

test.each(readers)('%s: 1,500 files with flipped bits in the header', async (_, file, header, read) => {
  const whole = await golden(file);
  const below = randomBelow(11);
  const outcomes = new Map<string, number>();
  for (let i = 0; i < 1500; i++) {
    const bytes = Buffer.from(whole);
    for (let flips = 1 + below(3); flips > 0; flips--) {
      const at = below(Math.min(header, bytes.length));
      bytes[at] = (bytes[at] as number) ^ (1 << below(8));
    }
    const result = await outcome(bytes, read);
    outcomes.set(result, (outcomes.get(result) ?? 0) + 1);
  }
  expect([...outcomes.keys()].sort()).toEqual(['ModelFormatError', 'read']);
});

test.each(readers)('%s: a file that is cut off anywhere is refused', async (_, file, __, read) => {
  const whole = await golden(file);
  const below = randomBelow(12);
  for (let i = 0; i < 300; i++) {
    const length = below(whole.length - 1);
    expect([length, await outcome(whole.subarray(0, length), read)]).toEqual([length, 'ModelFormatError']);
  }
});
