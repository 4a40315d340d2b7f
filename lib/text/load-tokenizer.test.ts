import { expect, test } from '@jest/globals';
import { createPieceCounter } from './count-pieces.ts';
import { loadTokenizer } from './load-tokenizer.ts';
import { gpt2PreTokenizer } from './pre-tokenizers.ts';
import { randomText } from './random-text.fixture.ts';
import type { Tokenizer } from './tokenizer.ts';
import { readTokenizerFiles, writeTokenizerFiles } from './tokenizer-files.ts';
import type { TokenizerJson } from './tokenizer-json.ts';
import { trainBpe } from './train-bpe.ts';

const numbers = (ids: Int32Array): number[] => Array.from(ids);
/** Small, with GPT-2's pre-tokeniser: " the", "10", "00" are tokens. */
const trained: Tokenizer = (() => {
  const counter = createPieceCounter({ preTokenizer: gpt2PreTokenizer });
  for (let seed = 0; seed < 100; seed++) counter.add(`${randomText(seed, 60)} the cat sat down 1000 10000 100 00`);
  return trainBpe(counter.counts(), { vocabSize: 500, specialTokens: ['<|endoftext|>'] });
})();
const end = trained.eosId as number;
const file = (): TokenizerJson & { model: Record<string, unknown> } => JSON.parse(JSON.stringify(trained.toJSON()));

test('a written tokenizer.json gives the same tokenizer back', () => {
  const loaded = loadTokenizer(file(), trained.toConfig());
  for (let seed = 0; seed < 100; seed++) {
    const text = randomText(seed, 60);
    expect(numbers(loaded.encode(text, { specials: 'parse' }))).toEqual(
      numbers(trained.encode(text, { specials: 'parse' })),
    );
  }
  expect(loaded.toJSON()).toEqual(trained.toJSON());
  expect([loaded.kind, loaded.vocabSize, loaded.eosId]).toEqual(['byte-bpe', 500, end]);
});

test('the files of a tokenizer that was read from files are those files, byte for byte', () => {
  const files = writeTokenizerFiles(trained);
  expect(writeTokenizerFiles(readTokenizerFiles(files))).toEqual(files);
  expect(() => readTokenizerFiles({ 'tokenizer.json': '{' })).toThrow('tokenizer.json is no JSON');
});

test('merges in the old form, "a b", are read as those in the new one', () => {
  const json = file();
  const merges = (json.model.merges as [string, string][]).map((pair) => pair.join(' '));
  const old = loadTokenizer({ ...json, model: { ...json.model, merges } });
  expect(numbers(old.encode('the cat sat'))).toEqual(numbers(trained.encode('the cat sat')));
});

test("SmolLM2's sequence of Digits and ByteLevel takes digits one by one", () => {
  const pretokenizers = [
    { type: 'Digits', individual_digits: true },
    { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  ];
  const smollm = loadTokenizer({ ...file(), pre_tokenizer: { type: 'Sequence', pretokenizers } });
  expect(smollm.encode('1000')).toHaveLength(4);
  expect(trained.encode('1000').length).toBeLessThan(4);
  expect(smollm.toJSON().pre_tokenizer).toEqual({ type: 'Sequence', pretokenizers });
});

test('an expression of its own cuts the text (as Llama 3 has it: at most three digits together), and streams equal the whole', () => {
  const pattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  const pretokenizers = [
    { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
    { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
  ];
  const tokenizer = loadTokenizer({ ...file(), pre_tokenizer: { type: 'Sequence', pretokenizers } });
  expect(numbers(tokenizer.encode('10000')).map((id) => tokenizer.decode([id]))).toEqual(['100', '00']);
  for (let seed = 0; seed < 200; seed++) {
    const text = randomText(seed, 40);
    const encoder = tokenizer.createEncoder();
    const parts = [...text].map((char) => encoder.push(char));
    expect([...parts, encoder.end()].flatMap(numbers)).toEqual(numbers(tokenizer.encode(text)));
  }
});

test('of an unknown expression nothing is assumed: a stream waits for the end and equals the whole', () => {
  const stages = [
    { type: 'Split', pattern: { Regex: '.+ ' }, behavior: 'Isolated', invert: false },
    { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
  ];
  const tokenizer = loadTokenizer({ ...file(), pre_tokenizer: { type: 'Sequence', pretokenizers: stages } });
  const encoder = tokenizer.createEncoder();
  expect(numbers(encoder.push('the cat sat '))).toEqual([]);
  encoder.push('down');
  expect(numbers(encoder.end())).toEqual(numbers(tokenizer.encode('the cat sat down')));
});

test('a byte that the vocabulary lacks is left out, or becomes the unknown token where there is one', () => {
  const json = file();
  const vocab = { ...(json.model.vocab as Record<string, number>) };
  delete vocab.Ą; // byte 0x04
  const lacking = loadTokenizer({ ...json, model: { ...json.model, vocab } });
  expect(lacking.decode(lacking.encode('a\x04b'))).toBe('ab');
  const withUnknown = loadTokenizer({ ...json, model: { ...json.model, vocab, unk_token: '<|endoftext|>' } });
  expect(numbers(withUnknown.encode('a\x04b'))).toEqual([...trained.encode('a'), end, ...trained.encode('b')]);
});

test.each<[string, (json: TokenizerJson) => unknown, string]>([
  ['no object', () => null, 'there is no "model" object'],
  ['no model', (json) => ({ ...json, model: undefined }), 'there is no "model" object'],
  ['another model', (json) => ({ ...json, model: { ...json.model, type: 'Unigram' } }), 'model.type "Unigram"'],
  ['no vocabulary', (json) => ({ ...json, model: { ...json.model, vocab: 3 } }), 'model.vocab is no object'],
  ['no merges', (json) => ({ ...json, model: { ...json.model, merges: 'a b' } }), 'model.merges is no array'],
  [
    'a merge of no token',
    (json) => ({ ...json, model: { ...json.model, merges: ['a ☃'] } }),
    '"☃" is not in the vocabulary',
  ],
  [
    'a merge into no token',
    (json) => ({ ...json, model: { ...json.model, merges: ['Ċ a'] } }),
    'which is not in the vocabulary',
  ],
  [
    'an id far out',
    (json) => ({ ...json, model: { ...json.model, vocab: { a: 1e12 }, merges: ['a a'] } }),
    'id 1000000000000',
  ],
  ['dropout', (json) => ({ ...json, model: { ...json.model, dropout: 0.1 } }), 'model.dropout = 0.1'],
  ['a normalizer', (json) => ({ ...json, normalizer: { type: 'Lowercase' } }), 'normalizer of type "Lowercase"'],
  [
    'a template',
    (json) => ({ ...json, post_processor: { type: 'TemplateProcessing' } }),
    'post_processor of type "TemplateProcessing"',
  ],
  ['Metaspace', (json) => ({ ...json, pre_tokenizer: { type: 'Metaspace' } }), 'no ByteLevel stage'],
  ['no cutting', (json) => ({ ...json, pre_tokenizer: null }), 'pre_tokenizer is null'],
  [
    'a stripping token',
    (json) => ({ ...json, added_tokens: [{ id: 499, content: 'x', lstrip: true }] }),
    'lstrip is not supported',
  ],
])('what would change ids and is not known is refused by name: %s', (_, change, message) => {
  expect(() => loadTokenizer(change(file()))).toThrow(message);
});

test('roles come from tokenizer_config.json, as text or as objects; the default of several templates counts', () => {
  const loaded = loadTokenizer(file(), {
    eos_token: { content: '<|endoftext|>' },
    pad_token: '<|endoftext|>',
    chat_template: [
      { name: 'tool_use', template: 'x' },
      { name: 'default', template: 'y' },
    ],
  });
  expect([loaded.bosId, loaded.eosId, loaded.padId, loaded.chatTemplate]).toEqual([undefined, end, end, 'y']);
  expect(() => loadTokenizer(file(), { eos_token: '</s>' })).toThrow('"</s>" is named as bos, eos or pad token');
});
