// The tokenizer that a GGUF file carries in its metadata (keys tokenizer.*), as llama.cpp writes it.
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

import type { AddedToken } from './added-tokens.ts';
import { parseMerges } from './bpe-vocabulary.ts';
import { createByteBpe } from './byte-bpe.ts';
import { gpt2PreTokenizer, type PreTokenizer, smollmPreTokenizer } from './pre-tokenizers.ts';
import { type Tokenizer, TokenizerFormatError } from './tokenizer.ts';

const CONTROL = 3;
const USER_DEFINED = 4;

const preTokenizers: Readonly<Record<string, PreTokenizer>> = {
  'gpt-2': gpt2PreTokenizer,
  smollm: smollmPreTokenizer,
};

export const fromGgufMetadata = (metadata: ReadonlyMap<string, unknown>): Tokenizer => {
  const model = metadata.get('tokenizer.ggml.model');
  if (model !== 'gpt2') {
    throw new TokenizerFormatError(
      `GGUF: tokenizer.ggml.model ${JSON.stringify(model)} is not supported (known: "gpt2", byte-level BPE)`,
    );
  }
  const tokens = arrayOf<string>(metadata, 'tokenizer.ggml.tokens');
  const types = arrayOf<number>(metadata, 'tokenizer.ggml.token_type');
  const ids = new Map<string, number>();
  for (let id = 0; id < tokens.length; id++) ids.set(tokens[id] as string, id);
  const tokenAt = (key: string): string | undefined => roleToken(metadata, key, tokens);
  return createByteBpe({
    tokens: Array.from(tokens),
    merges: parseMerges(arrayOf<string>(metadata, 'tokenizer.ggml.merges'), ids),
    addedTokens: addedTokensOf(tokens, types),
    preTokenizer: preTokenizerOf(metadata),
    roles: {
      bosToken: tokenAt('tokenizer.ggml.bos_token_id'),
      eosToken: tokenAt('tokenizer.ggml.eos_token_id'),
      padToken: tokenAt('tokenizer.ggml.padding_token_id'),
      chatTemplate: metadata.get('tokenizer.chat_template') as string | undefined,
    },
  });
};

const arrayOf = <T>(metadata: ReadonlyMap<string, unknown>, key: string): ArrayLike<T> => {
  const value = metadata.get(key);
  if (!Array.isArray(value) && !ArrayBuffer.isView(value))
    throw new TokenizerFormatError(`GGUF: ${key} is missing or no array`);
  return value as unknown as ArrayLike<T>;
};

const addedTokensOf = (tokens: ArrayLike<string>, types: ArrayLike<number>): AddedToken[] => {
  const added: AddedToken[] = [];
  for (let id = 0; id < tokens.length; id++) {
    const type = types[id];
    if (type === CONTROL || type === USER_DEFINED)
      added.push({ id, content: tokens[id] as string, special: type === CONTROL });
  }
  return added;
};

const roleToken = (
  metadata: ReadonlyMap<string, unknown>,
  key: string,
  tokens: ArrayLike<string>,
): string | undefined => {
  const id = metadata.get(key);
  if (id === undefined) return undefined;
  const token = tokens[Number(id)];
  if (token === undefined)
    throw new TokenizerFormatError(`GGUF: ${key} is ${String(id)}, but there are ${tokens.length} tokens`);
  return token;
};

const preTokenizerOf = (metadata: ReadonlyMap<string, unknown>): PreTokenizer => {
  const name = String(metadata.get('tokenizer.ggml.pre') ?? 'gpt-2');
  const preTokenizer = preTokenizers[name];
  if (preTokenizer) return preTokenizer;
  const known = Object.keys(preTokenizers).join(', ');
  throw new TokenizerFormatError(`GGUF: tokenizer.ggml.pre ${JSON.stringify(name)} is not supported (known: ${known})`);
};
