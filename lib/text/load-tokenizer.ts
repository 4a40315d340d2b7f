// tokenizer.json (and tokenizer_config.json, where there is one) -> a tokenizer. What would change ids and is not implemented is
// refused by name; nothing is ignored in silence.

import type { AddedToken } from './added-tokens.ts';
import { readBpe, tokensById } from './bpe-json.ts';
import { createByteBpe } from './byte-bpe.ts';
import { createCharTokenizer } from './char.ts';
import { type Tokenizer, TokenizerFormatError } from './tokenizer.ts';
import { rolesOfConfig, type SpecialRoles, type TokenizerConfig } from './tokenizer-config.ts';
import type { AddedTokenJson, StageJson, TokenizerJson } from './tokenizer-json.ts';

/** Both arguments are the parsed files. Throws TokenizerFormatError. */
export const loadTokenizer = (json: unknown, config?: TokenizerConfig): Tokenizer => {
  const file = checkShape(json);
  const roles = rolesOfConfig(config);
  const added = file.added_tokens.map(readAddedToken);
  refuseStages(file);
  if (file.model.type === 'BPE' && !isCharLevel(file)) return createByteBpe(readBpe(file, added, roles));
  return readChars(file, added, roles);
};

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const checkShape = (json: unknown): TokenizerJson => {
  if (!isObject(json) || !isObject(json.model))
    throw new TokenizerFormatError('tokenizer.json: there is no "model" object');
  const { model, added_tokens: added = [] } = json;
  if (model.type !== 'BPE' && model.type !== 'WordLevel') {
    throw new TokenizerFormatError(
      `tokenizer.json: model.type ${JSON.stringify(model.type)} is not supported (known: BPE, WordLevel)`,
    );
  }
  if (!isObject(model.vocab)) throw new TokenizerFormatError('tokenizer.json: model.vocab is no object');
  if (model.type === 'BPE' && !Array.isArray(model.merges))
    throw new TokenizerFormatError('tokenizer.json: model.merges is no array');
  if (!Array.isArray(added)) throw new TokenizerFormatError('tokenizer.json: added_tokens is no array');
  return {
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    ...json,
    added_tokens: added,
  } as unknown as TokenizerJson;
};

const readAddedToken = (token: AddedTokenJson): AddedToken => {
  for (const key of ['single_word', 'lstrip', 'rstrip'] as const) {
    if (token[key])
      throw new TokenizerFormatError(`added token ${JSON.stringify(token.content)}: ${key} is not supported`);
  }
  return { id: token.id, content: token.content, special: token.special };
};

const refuseStages = ({ normalizer, post_processor: post }: TokenizerJson): void => {
  if (normalizer && normalizer.type !== 'NFC') {
    throw new TokenizerFormatError(
      `normalizer of type ${JSON.stringify(normalizer.type)} is not supported (known: NFC)`,
    );
  }
  if (post && post.type !== 'ByteLevel') {
    throw new TokenizerFormatError(
      `post_processor of type ${JSON.stringify(post.type)} is not supported (known: ByteLevel)`,
    );
  }
};

/** BPE that merges nothing and has no byte alphabet: a vocabulary of characters. */
const isCharLevel = ({ model, pre_tokenizer: pre }: TokenizerJson): boolean =>
  model.type === 'BPE' && model.merges.length === 0 && (pre === null || isSplitIntoChars(pre));

const isSplitIntoChars = ({ type, pattern, behavior }: StageJson): boolean => {
  const { Regex: source, String: literal } = (pattern ?? {}) as { Regex?: string; String?: string };
  return (
    type === 'Split' &&
    behavior === 'Isolated' &&
    (literal === '' || ['', '.', '(?s).', '[\\s\\S]'].includes(source ?? 'x'))
  );
};

const readChars = (
  { model, pre_tokenizer: pre, normalizer }: TokenizerJson,
  added: readonly AddedToken[],
  roles: SpecialRoles,
): Tokenizer => {
  if (model.type === 'WordLevel' && !(pre && isSplitIntoChars(pre))) {
    throw new TokenizerFormatError(
      'model WordLevel is supported for characters only: pre_tokenizer has to be Split into single characters',
    );
  }
  if (normalizer)
    throw new TokenizerFormatError(`normalizer ${normalizer.type} is not supported with a vocabulary of characters`);
  const addedIds = new Set(added.map(({ id }) => id));
  const chars = tokensById(model.vocab).map((char, id) => (addedIds.has(id) ? undefined : char));
  const unknownId = model.unk_token ? model.vocab[model.unk_token] : undefined;
  const wrong = chars.find((char, id) => char !== undefined && id !== unknownId && [...char].length !== 1);
  if (wrong !== undefined)
    throw new TokenizerFormatError(
      `model.vocab: ${JSON.stringify(wrong)} is no single character, and there are no merges that make it`,
    );
  return createCharTokenizer({ chars, addedTokens: added, unknownId, roles });
};
