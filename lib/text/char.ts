// A tokenizer whose tokens are characters (code points): the smallest vocabulary there is, for small experiments.
// Written to tokenizer.json as BPE without merges, which Hugging Face's library reads as exactly this.

import { type AddedToken, createAddedTokens } from './added-tokens.ts';
import { toTokenizerJson } from './bpe-json.ts';
import { createIdBuffer, type IdBuffer } from './id-buffer.ts';
import { createStreamEncoder, isBetweenCodePoints } from './stream-encoder.ts';
import { type EncodeOptions, type Tokenizer, UnknownCharacterError } from './tokenizer.ts';
import { createTokenizerBase } from './tokenizer-base.ts';
import type { SpecialRoles } from './tokenizer-config.ts';
import type { TokenizerJson } from './tokenizer-json.ts';

export interface CharVocabulary {
  /** id -> character; undefined where an id belongs to an added token. */
  readonly chars: readonly (string | undefined)[];
  readonly addedTokens: readonly AddedToken[];
  /** What an unknown character becomes; undefined: UnknownCharacterError. */
  readonly unknownId?: number | undefined;
  readonly roles: SpecialRoles;
}

export const createCharTokenizer = (vocabulary: CharVocabulary): Tokenizer => {
  const { chars, addedTokens, unknownId, roles } = vocabulary;
  const idOfChar = new Map(chars.flatMap((char, id) => (char === undefined ? [] : [[char, id] as const])));
  const utf8 = new TextEncoder();
  const bytes = chars.map((char) => (char === undefined ? undefined : utf8.encode(char)));
  const splitterOf = createAddedTokens(addedTokens);

  const encodeChars = (text: string, offset: number, ids: IdBuffer): void => {
    let position = offset;
    for (const char of text) {
      const id = idOfChar.get(char) ?? unknownId;
      if (id === undefined) throw new UnknownCharacterError(char, position);
      ids.push(id);
      position += char.length;
    }
  };
  const encodeFrom = (text: string, offset: number, { specials = 'text' }: EncodeOptions = {}): Int32Array => {
    const ids = createIdBuffer(text.length);
    splitterOf(specials).split(text, offset, (part, at) => encodeChars(part, at, ids), ids.push);
    return ids.toArray();
  };

  return {
    kind: 'char',
    ...createTokenizerBase({ bytes, addedTokens, roles }),
    encode: (text, options) => encodeFrom(text, 0, options),
    createEncoder: (options = {}) => {
      const { mayReachOver } = splitterOf(options.specials ?? 'text');
      return createStreamEncoder({
        take: (text, offset) => encodeFrom(text, offset, options),
        mayCutAt: (text, position) => isBetweenCodePoints(text, position) && !mayReachOver(text, position),
      });
    },
    toJSON: () => charToJson(vocabulary),
  };
};

const charToJson = ({ chars, addedTokens, unknownId }: CharVocabulary): TokenizerJson =>
  toTokenizerJson({
    tokens: chars,
    merges: new Int32Array(0),
    addedTokens,
    unknownId,
    stages: { normalizer: null, pre_tokenizer: null, decoder: { type: 'Fuse' } },
  });
