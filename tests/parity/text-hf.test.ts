// Tokenizers against Hugging Face's library: what it learns, reads and writes (golden/text-hf.json, made by make-text-golden.py).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { loadTokenizer } from '#lib/text/load-tokenizer.ts';
import type { Tokenizer } from '#lib/text/tokenizer.ts';
import type { TokenizerJson } from '#lib/text/tokenizer-json.ts';
import { trainTokenizers } from './write-tokenizers.ts';

interface Ids {
  readonly parse: number[][];
  readonly text: number[][];
}

interface Golden {
  readonly corpus: string;
  readonly texts: string[];
  readonly learned: Record<string, { readonly file: TokenizerJson; readonly ids: Ids }>;
  readonly written: Record<string, { readonly sha256: string; readonly texts: string[] | null; readonly ids: Ids }>;
}

const golden: Golden = JSON.parse(readFileSync(path.join(__dirname, 'golden/text-hf.json'), 'utf8'));
const trained = trainTokenizers(golden.corpus);

const idsOf = (tokenizer: Tokenizer, texts: string[]): Ids => {
  const encode = (specials: 'parse' | 'text') => texts.map((text) => Array.from(tokenizer.encode(text, { specials })));
  return { parse: encode('parse'), text: encode('text') };
};

test.each(Object.entries(golden.learned))(
  'a tokenizer.json of its making gives its ids here: %s',
  (_, { file, ids }) => {
    expect(idsOf(loadTokenizer(file), golden.texts)).toEqual(ids);
  },
);

test.each(Object.entries(golden.written))(
  'a tokenizer.json of our making gives our ids there: %s',
  (name, { sha256, texts, ids }) => {
    const tokenizer = trained[name] as Tokenizer;
    // If this differs, what we write has changed: run make-text-golden.py to let their library read it again.
    expect(createHash('sha256').update(JSON.stringify(tokenizer)).digest('hex')).toBe(sha256);
    expect(idsOf(tokenizer, texts ?? golden.texts)).toEqual(ids);
  },
);

test.each(Object.entries(golden.learned))('from the same text the same merges are learned: %s', (name, { file }) => {
  const ours = trained[name]?.toJSON().model;
  expect(ours && 'merges' in ours && ours.merges).toEqual('merges' in file.model && file.model.merges);
});
