// A byte-level BPE vocabulary <-> tokenizer.json.

import type { AddedToken } from './added-tokens.ts';
import { type BpeVocabulary, parseMerges } from './bpe-vocabulary.ts';
import { readPreTokenizer } from './pre-tokenizer-json.ts';
import { TokenizerFormatError } from './tokenizer.ts';
import type { SpecialRoles } from './tokenizer-config.ts';
import type { AddedTokenJson, BpeModelJson, StageJson, TokenizerJson } from './tokenizer-json.ts';

const byteLevel: StageJson = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };

const addedTokenToJson = ({ id, content, special }: AddedToken): AddedTokenJson => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special,
});

export interface BpeFileParts {
  readonly tokens: readonly (string | undefined)[];
  readonly merges: Int32Array;
  readonly addedTokens: readonly AddedToken[];
  readonly unknownId?: number | undefined;
  readonly stages: Pick<TokenizerJson, 'normalizer' | 'pre_tokenizer' | 'decoder'>;
}

export const toTokenizerJson = ({ tokens, merges, addedTokens, unknownId, stages }: BpeFileParts): TokenizerJson => {
  const contents = [...tokens];
  for (const { id, content } of addedTokens) contents[id] = content;
  const pairs = Array.from({ length: merges.length / 2 }, (_, rank): [string, string] => [
    tokens[merges[2 * rank] as number] as string,
    tokens[merges[2 * rank + 1] as number] as string,
  ]);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens.map(addedTokenToJson),
    ...stages,
    post_processor: null,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: unknownId === undefined ? null : (contents[unknownId] ?? null),
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(contents.flatMap((token, id) => (token === undefined ? [] : [[token, id]]))),
      merges: pairs,
    },
  };
};

export const bpeToJson = ({ nfc, preTokenizer, ...parts }: BpeVocabulary): TokenizerJson =>
  toTokenizerJson({
    ...parts,
    stages: { normalizer: nfc ? { type: 'NFC' } : null, pre_tokenizer: preTokenizer.json, decoder: byteLevel },
  });

const largestId = 2 ** 22 - 1;

/** `vocab` as an array by id. */
export const tokensById = (vocab: Readonly<Record<string, number>>): (string | undefined)[] => {
  const tokens: (string | undefined)[] = [];
  for (const [token, id] of Object.entries(vocab)) {
    if (!Number.isInteger(id) || id < 0 || id > largestId) {
      throw new TokenizerFormatError(
        `model.vocab: id ${id} of ${JSON.stringify(token)} is not a whole number from 0 to ${largestId}`,
      );
    }
    tokens[id] = token;
  }
  return Array.from(tokens);
};

export const readBpe = (json: TokenizerJson, added: readonly AddedToken[], roles: SpecialRoles): BpeVocabulary => {
  const model = json.model as BpeModelJson;
  refuseSettings(model);
  const tokens = tokensById(model.vocab);
  const ids = new Map(Object.entries(model.vocab));
  return {
    tokens,
    merges: parseMerges(model.merges, ids),
    addedTokens: added,
    preTokenizer: readPreTokenizer(json.pre_tokenizer),
    nfc: json.normalizer?.type === 'NFC',
    unknownId: model.unk_token ? ids.get(model.unk_token) : undefined,
    roles,
  };
};

/** Settings that would change ids and are not implemented are refused, not ignored. */
const refuseSettings = (model: BpeModelJson): void => {
  for (const key of [
    'dropout',
    'continuing_subword_prefix',
    'end_of_word_suffix',
    'byte_fallback',
    'ignore_merges',
    'fuse_unk',
  ]) {
    if (model[key]) throw new TokenizerFormatError(`model.${key} = ${JSON.stringify(model[key])} is not supported`);
  }
};
