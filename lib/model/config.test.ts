import { expect, test } from '@jest/globals';
import { asClassifier, gptConfig, llamaConfig, presets } from './config.ts';
import { configFromJson, configToJson, parseConfig } from './config-json.ts';

const shape = { vocabSize: 65, contextSize: 64, nLayer: 2, nHead: 4, nEmbd: 32 };
const gpt = configToJson(gptConfig(shape));
const llama = configToJson(llamaConfig(shape, { nKvHead: 2 }));

test.each([
  ['a GPT', gptConfig(shape, { dropout: 0.1 })],
  ['a GPT without biases', gptConfig(shape, { bias: false })],
  ['a Llama with shared key/value heads', llamaConfig(shape, { nKvHead: 2, ropeTheta: 1e5 })],
  ['a classifier', { ...asClassifier(gptConfig(shape), ['ham', 'spam']), padTokenId: 3 }],
  ['GPT-2 itself', presets.gpt2()],
])('%s survives config.json', (_, config) => {
  expect(parseConfig(JSON.stringify(configToJson(config)))).toEqual(config);
});

test('what config.json leaves out has the defaults of transformers', () => {
  const { n_inner, layer_norm_epsilon, tie_word_embeddings, ...rest } = gpt;
  expect(configFromJson({ ...rest, n_inner: null })).toEqual(configFromJson(gpt));
  expect([n_inner, layer_norm_epsilon, tie_word_embeddings]).toEqual([128, 1e-5, true]);
});

test('rotary settings are found in the old and in the new place', () => {
  const { rope_theta, ...rest } = llama;
  expect(rope_theta).toBe(10_000);
  expect(configFromJson({ ...rest, rope_parameters: { rope_type: 'default', rope_theta: 5e5 } })).toMatchObject({
    ropeTheta: 5e5,
  });
});

test.each([
  [{ ...gpt, model_type: 'mamba' }, '"model_type" is "mamba": expected one of gpt2, llama'],
  [{ ...gpt, n_layer: '4' }, '"n_layer" is "4": expected a whole number above 0'],
  [{ ...gpt, n_embd: undefined }, '"n_embd" is missing'],
  [{ ...gpt, n_head: 5 }, 'nEmbd 32 is not a multiple of nHead 5'],
  [{ ...gpt, activation_function: 'relu' }, '"activation_function" is "relu": expected "gelu_new"'],
  [{ ...gpt, resid_pdrop: 1 }, 'dropout is 1'],
  [{ ...llama, num_key_value_heads: 3 }, 'nHead 4 is not a multiple of nKvHead 3'],
  [{ ...llama, rope_scaling: { type: 'linear', factor: 2 } }, '"rope_type" is "linear": expected "default"'],
  [{ ...llama, attention_bias: true }, '"attention_bias" is true: expected false'],
  [{ ...llama, eos_token_id: -1 }, '"eos_token_id" is -1: expected a token id'],
  [{ ...gpt, architectures: ['GPT2ForSequenceClassification'], id2label: { 1: 'a', 2: 'b' } }, '"id2label"'],
])('a configuration that makes no model is refused by key and value (%#)', (json, message) => {
  expect(() => configFromJson(json)).toThrow(message);
});

test.each(['', '{', '[]', 'null'])('%j is not a config.json', (text) => {
  expect(() => parseConfig(text)).toThrow('config.json');
});
