// A tokenizer as the two files of a Hugging Face directory. One way to write them, so that the same tokenizer has the same bytes (and
// SHA-256) wherever it is written; who has the files already copies them.

import { loadTokenizer } from './load-tokenizer.ts';
import { type Tokenizer, TokenizerFormatError } from './tokenizer.ts';
import type { TokenizerConfig } from './tokenizer-config.ts';

export const tokenizerFileNames = ['tokenizer.json', 'tokenizer_config.json'] as const;

/** File name -> text. */
export interface TokenizerFiles {
  readonly 'tokenizer.json': string;
  readonly 'tokenizer_config.json'?: string | undefined;
}

export const writeTokenizerFiles = (
  tokenizer: Tokenizer,
): { [name in (typeof tokenizerFileNames)[number]]: string } => ({
  'tokenizer.json': `${JSON.stringify(tokenizer.toJSON())}\n`,
  'tokenizer_config.json': `${JSON.stringify(tokenizer.toConfig(), null, 2)}\n`,
});

/** Throws TokenizerFormatError. */
export const readTokenizerFiles = (files: TokenizerFiles): Tokenizer => {
  const config = files['tokenizer_config.json'];
  return loadTokenizer(
    parse('tokenizer.json', files['tokenizer.json']),
    config === undefined ? undefined : (parse('tokenizer_config.json', config) as TokenizerConfig),
  );
};

const parse = (file: string, text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TokenizerFormatError(`${file} is no JSON: ${(error as Error).message}`, { cause: error });
  }
};
