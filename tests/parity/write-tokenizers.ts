// The tokenizer.json files that text-hf.test.ts compares with Hugging Face's library: trained here on the golden file's corpus.
// Run by make-text-golden.py, which reads them from standard output: name -> text of the file.

import { readFileSync } from 'node:fs';
import { createPieceCounter } from '#lib/text/count-pieces.ts';
import { gpt2PreTokenizer, smollmPreTokenizer } from '#lib/text/pre-tokenizers.ts';
import type { Tokenizer } from '#lib/text/tokenizer.ts';
import { trainBpe } from '#lib/text/train-bpe.ts';
import { createCharTrainer } from '#lib/text/train-char.ts';

const preTokenizers = { gpt2: gpt2PreTokenizer, smollm: smollmPreTokenizer };

const trainBytes = (corpus: string, name: keyof typeof preTokenizers): Tokenizer => {
  const preTokenizer = preTokenizers[name];
  const counter = createPieceCounter({ preTokenizer });
  counter.add(corpus);
  return trainBpe(counter.counts(), { vocabSize: 500, preTokenizer });
};

const trainChars = (corpus: string, unknownToken?: string): Tokenizer => {
  const trainer = createCharTrainer({ specialTokens: ['<|endoftext|>'], unknownToken });
  trainer.add(corpus);
  return trainer.finish();
};

export const trainTokenizers = (corpus: string): Record<string, Tokenizer> => ({
  gpt2: trainBytes(corpus, 'gpt2'),
  smollm: trainBytes(corpus, 'smollm'),
  char: trainChars(corpus),
  'char with <unk>': trainChars(corpus, '<unk>'),
});

if (process.argv[1]?.endsWith('write-tokenizers.ts')) {
  const files = Object.entries(trainTokenizers(readFileSync(0, 'utf8'))).map(([name, made]) => [
    name,
    JSON.stringify(made),
  ]);
  process.stdout.write(JSON.stringify(Object.fromEntries(files)));
}
