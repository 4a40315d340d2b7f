import { expect, test } from '@jest/globals';
import { type Weights, weightTensor } from '../weights.ts';
import { readerOfBytes } from './byte-source.ts';
import { readHfDirectory } from './hf-directory.ts';
import { encodeSafetensors } from './write-safetensors.ts';

const tensor = (...values: number[]) => weightTensor([values.length], Float32Array.from(values));
const safetensors = (names: string[]) =>
  Buffer.concat([...encodeSafetensors(new Map(names.map((name, i) => [name, tensor(i)])) as Weights)]);

const folder = (files: Record<string, string | Uint8Array>) => async (name: string) => {
  const content = files[name];
  return content === undefined ? undefined : readerOfBytes(Buffer.from(content as Uint8Array));
};
const namesIn = async (config: object, names: string[]) => {
  const open = folder({ 'config.json': JSON.stringify(config), 'model.safetensors': safetensors(names) });
  return [...(await readHfDirectory(open)).weights.keys()];
};

test('GPT-2: the prefix, the causal masks and the copy of the embedding go', async () => {
  const own = ['wte.weight', 'h.0.attn.c_attn.bias', 'ln_f.weight'];
  const saved = [...own, 'h.0.attn.bias', 'h.11.attn.masked_bias'];
  expect(await namesIn({ model_type: 'gpt2' }, saved)).toEqual(own);
  const prefixed = saved.map((name) => `transformer.${name}`);
  expect(await namesIn({ model_type: 'gpt2' }, [...prefixed, 'lm_head.weight'])).toEqual(own);
  const classifier = await namesIn({ model_type: 'gpt2' }, [...prefixed, 'score.weight']);
  expect(classifier).toEqual([...own, 'score.weight']);
});

test('Llama: the prefix comes, rotary frequencies go, the head stays where it is no copy', async () => {
  const saved = ['embed_tokens.weight', 'layers.0.self_attn.rotary_emb.inv_freq', 'norm.weight'];
  expect(await namesIn({ model_type: 'llama' }, saved)).toEqual(['model.embed_tokens.weight', 'model.norm.weight']);
  const whole = ['model.norm.weight', 'lm_head.weight'];
  expect(await namesIn({ model_type: 'llama' }, whole)).toEqual(whole);
  expect(await namesIn({ model_type: 'llama', tie_word_embeddings: true }, whole)).toEqual(['model.norm.weight']);
});

const config = '{"model_type":"gpt2"}';

test.each<[what: string, files: Record<string, string | Uint8Array>, message: RegExp]>([
  ['no configuration', {}, /no config.json/],
  ['a configuration that is no JSON', { 'config.json': '{' }, /config.json is no valid JSON/],
  ['a configuration that is a list', { 'config.json': '[]' }, /config.json is no JSON object/],
  ['another model type', { 'config.json': '{"model_type":"t5"}' }, /model_type "t5" is not one of gpt2, llama/],
  ['a type from the prototype', { 'config.json': '{"model_type":"constructor"}' }, /"constructor" is not one of/],
  ['no weights', { 'config.json': config }, /no model.safetensors$/],
  ['pickled weights', { 'config.json': config, 'pytorch_model.bin': 'x' }, /can run code and is not read/],
  [
    'a missing shard',
    { 'config.json': config, 'model.safetensors.index.json': '{"weight_map":{"a":"b.safetensors"}}' },
    /no b.safetensors/,
  ],
  [
    'one tensor under two names',
    { 'config.json': config, 'model.safetensors': safetensors(['transformer.wte.weight', 'wte.weight']) },
    /with and without its prefix/,
  ],
])('a directory with %s is refused with the reason', async (_, files, message) => {
  await expect(readHfDirectory(folder(files))).rejects.toThrow(message);
});
