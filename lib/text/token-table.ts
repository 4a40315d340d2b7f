// Id -> bytes: the way back from ids to text, shared by all kinds of tokenizers. All tokens' bytes lie in one array.

import type { DecodeOptions, StreamDecoder } from './tokenizer.ts';

export interface TokenTable {
  readonly vocabSize: number;
  readonly decode: (ids: ArrayLike<number>, options?: DecodeOptions) => string;
  readonly decodeBytes: (ids: ArrayLike<number>, options?: DecodeOptions) => Uint8Array;
  readonly createDecoder: (options?: DecodeOptions) => StreamDecoder;
}

/** `tokens[id]` is the token's bytes, undefined where the vocabulary has a hole; `specialIds` are skipped on request. */
export const createTokenTable = (
  tokens: readonly (Uint8Array | undefined)[],
  specialIds: Iterable<number>,
): TokenTable => {
  const vocabSize = tokens.length;
  const offsets = new Int32Array(vocabSize + 1);
  for (const [id, bytes] of tokens.entries()) offsets[id + 1] = (offsets[id] as number) + (bytes?.length ?? 0);
  const store = new Uint8Array(offsets[vocabSize] as number);
  for (const [id, bytes] of tokens.entries()) if (bytes) store.set(bytes, offsets[id] as number);
  const isHole = Uint8Array.from(tokens, (bytes) => (bytes ? 0 : 1));
  const isSpecial = new Uint8Array(vocabSize);
  for (const id of specialIds) isSpecial[id] = 1;

  const checkedId = (ids: ArrayLike<number>, position: number): number => {
    const id = ids[position] as number;
    if (isHole[id] === 0) return id;
    throw new RangeError(`decode: id ${id} at position ${position} is not in the vocabulary of ${vocabSize} tokens`);
  };

  const decodeBytes = (ids: ArrayLike<number>, { skipSpecialTokens = false }: DecodeOptions = {}): Uint8Array => {
    let length = 0;
    for (let i = 0; i < ids.length; i++) {
      const id = checkedId(ids, i);
      length += (offsets[id + 1] as number) - (offsets[id] as number);
    }
    const bytes = new Uint8Array(length);
    let end = 0;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] as number;
      if (skipSpecialTokens && isSpecial[id] === 1) continue;
      for (let at = offsets[id] as number; at < (offsets[id + 1] as number); at++) bytes[end++] = store[at] as number;
    }
    return end === length ? bytes : bytes.subarray(0, end);
  };

  return {
    vocabSize,
    decodeBytes,
    decode: (ids, options) => createUtf8Decoder().decode(decodeBytes(ids, options)),
    createDecoder: (options) => {
      const utf8 = createUtf8Decoder();
      return {
        push: (ids) => utf8.decode(decodeBytes(ids, options), { stream: true }),
        end: () => utf8.decode(),
      };
    },
  };
};

/** A byte-order mark is text like any other: decode gives back what encode was given. */
const createUtf8Decoder = () => new TextDecoder('utf-8', { ignoreBOM: true });
