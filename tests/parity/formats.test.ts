// The weight formats against files written by their own libraries: make-formats.py.
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withReader } from '#lib/model/formats/byte-source.ts';
import { readGgufHeader, readGgufTensor } from '#lib/model/formats/gguf.ts';
import { readHfDirectory, writeHfDirectory } from '#lib/model/formats/hf-directory.ts';
import { readLlamaGguf } from '#lib/model/formats/llama-gguf.ts';
import { readSafetensors } from '#lib/model/formats/safetensors.ts';
import { encodeSafetensors } from '#lib/model/formats/write-safetensors.ts';
import type { Weights } from '#lib/model/weights.ts';

const golden = join(__dirname, 'golden/formats');

const expected = async (file: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(join(golden, file), 'utf8'));

const summary = (weights: Weights): Record<string, unknown> =>
  Object.fromEntries(
    [...weights].map(([name, { shape, data }]) => {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      return [name, { shape, sha256: createHash('sha256').update(bytes).digest('hex') }];
    }),
  );

test('every dtype of safetensors becomes the float32 values that PyTorch makes of it', async () => {
  expect(summary(await readSafetensors(join(golden, 'dtypes.safetensors')))).toEqual(await expected('dtypes.json'));
});

test('F32, F16, BF16, Q8_0, Q4_0 and Q4_1 are dequantised bit for bit as by gguf', async () => {
  const weights = await withReader(join(golden, 'types.gguf'), async (reader) => {
    const { entries } = await readGgufHeader(reader);
    return new Map(
      await Promise.all(entries.map(async (entry) => [entry.name, await readGgufTensor(reader, entry)] as const)),
    );
  });
  expect(summary(weights)).toEqual(await expected('types.json'));
});

test('GGUF metadata of every type is read', async () => {
  const { metadata } = await withReader(join(golden, 'types.gguf'), readGgufHeader);
  const values = Object.fromEntries([...metadata].filter(([key]) => key.startsWith('test.')));
  expect(values).toEqual({
    'test.u8': 255,
    'test.i8': -128,
    'test.u16': 65535,
    'test.i16': -32768,
    'test.u32': 2 ** 32 - 1,
    'test.i32': -(2 ** 31),
    'test.f32': Math.fround(0.1),
    'test.bool': true,
    'test.string': '\ufeffGrüße 🙂',
    'test.u64': 2n ** 64n - 1n,
    'test.i64': -(2 ** 40),
    'test.f64': 0.1,
    'test.strings': ['a', '', 'Ġb'],
    'test.ints': [1, -2, 3],
    'test.nested': [[1, 2], [3]],
  });
});

test("a Llama GGUF file becomes Hugging Face's weights and configuration, query and key rows put back", async () => {
  const { config, weights } = await readLlamaGguf(join(golden, 'llama.gguf'));
  expect(summary(weights)).toEqual(await expected('llama.json'));
  expect(config).toMatchObject({
    num_attention_heads: 4,
    num_key_value_heads: 2,
    rope_theta: 50_000,
    rms_norm_eps: 1e-6,
  });
  expect(config.tie_word_embeddings).toBe(false);
});

test.each(['gpt2', 'gpt2-sharded', 'gpt2-classifier'])("transformers' directory %s is read", async (folder) => {
  const { weights } = await readHfDirectory(join(golden, folder));
  const file = folder === 'gpt2-classifier' ? 'gpt2-classifier.json' : 'gpt2.json';
  expect(summary(weights)).toEqual(await expected(file));
});

test('what we write is the very file that safetensors writes of the same tensors', async () => {
  const path = join(golden, 'gpt2/model.safetensors');
  const again = Buffer.concat([...encodeSafetensors(await readSafetensors(path))]);
  expect(again.equals(await readFile(path))).toBe(true);
});

test('a directory that is written and read again is the same', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strata-formats-'));
  const model = await readHfDirectory(join(golden, 'gpt2'));
  await writeHfDirectory(join(folder, 'a'), model);
  await cp(join(folder, 'a'), join(folder, 'b'), { recursive: true });
  const again = await readHfDirectory(join(folder, 'b'));
  expect(again.config).toEqual(model.config);
  expect(summary(again.weights)).toEqual(summary(model.weights));
  await rm(folder, { recursive: true });
});
