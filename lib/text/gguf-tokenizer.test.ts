import { expect, test } from '@jest/globals';
import { charOfByte } from './byte-alphabet.ts';
import { fromGgufMetadata } from './gguf-tokenizer.ts';

const tokens = ['<|im_start|>', '<|im_end|>', '<tool>', ...charOfByte, 'ab'];
const metadata = (changes: Record<string, unknown> = {}): Map<string, unknown> =>
  new Map(
    Object.entries({
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.pre': 'smollm',
      'tokenizer.ggml.tokens': tokens,
      'tokenizer.ggml.token_type': Int32Array.from(tokens, (_, id) => (id < 2 ? 3 : id === 2 ? 4 : 1)),
      'tokenizer.ggml.merges': ['a b'],
      'tokenizer.ggml.bos_token_id': 0,
      'tokenizer.ggml.eos_token_id': 1,
      'tokenizer.chat_template': '{{ bos_token }}',
      ...changes,
    }),
  );

test('control tokens are special, user-defined ones are found always, roles and template come along', () => {
  const tokenizer = fromGgufMetadata(metadata());
  expect([...tokenizer.specialTokens]).toEqual([
    ['<|im_start|>', 0],
    ['<|im_end|>', 1],
  ]);
  expect(Array.from(tokenizer.encode('ab<tool>'))).toEqual([259, 2]);
  expect([tokenizer.bosId, tokenizer.eosId, tokenizer.chatTemplate]).toEqual([0, 1, '{{ bos_token }}']);
});

test.each<[string, Record<string, unknown>, string]>([
  ['another model', { 'tokenizer.ggml.model': 'llama' }, 'tokenizer.ggml.model "llama" is not supported'],
  [
    'another pre-tokenizer',
    { 'tokenizer.ggml.pre': 'dbrx' },
    'tokenizer.ggml.pre "dbrx" is not supported (known: gpt-2, smollm)',
  ],
  ['no tokens', { 'tokenizer.ggml.tokens': undefined }, 'tokenizer.ggml.tokens is missing'],
  [
    'a role out of range',
    { 'tokenizer.ggml.eos_token_id': 999 },
    'tokenizer.ggml.eos_token_id is 999, but there are 260 tokens',
  ],
])('metadata that no tokenizer can be made of is refused by name: %s', (_, changes, message) => {
  expect(() => fromGgufMetadata(metadata(changes))).toThrow(message);
});
