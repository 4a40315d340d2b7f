// Byte-level byte-pair encoding (Sennrich et al. 2016, on bytes as in GPT-2): added tokens are found first, the rest is cut into
// pieces, and the bytes of each piece are merged by rank. Any text can be encoded, and decoding gives it back.

import { createAddedTokens } from './added-tokens.ts';
import { bpeToJson } from './bpe-json.ts';
import { type BpeVocabulary, idsOfTokens } from './bpe-vocabulary.ts';
import { bytesOfToken, charOfByte } from './byte-alphabet.ts';
import { createIdBuffer, type IdBuffer } from './id-buffer.ts';
import { createMergePairs } from './merge-pairs.ts';
import { createMergeTable, type MergeTable } from './merge-table.ts';
import { createPieceCache } from './piece-cache.ts';
import { createStreamEncoder, isAfterWord } from './stream-encoder.ts';
import { type EncodeOptions, type Tokenizer, TokenizerFormatError } from './tokenizer.ts';
import { createTokenizerBase } from './tokenizer-base.ts';
import { writeUtf8 } from './utf8.ts';

const cachedPieces = 1 << 16;

export const createByteBpe = (vocabulary: BpeVocabulary): Tokenizer => {
  const { tokens, addedTokens, preTokenizer, roles, nfc = false } = vocabulary;
  const bytes = tokens.map((token) => (token === undefined ? undefined : bytesOfToken(token)));
  const encodePiece = createPieceEncoder(vocabulary);
  const splitterOf = createAddedTokens(addedTokens);

  const encodeText = (text: string, ids: IdBuffer): void =>
    preTokenizer.split(nfc ? text.normalize('NFC') : text, (piece) => encodePiece(piece, ids));
  const encodeFrom = (text: string, offset: number, { specials = 'text' }: EncodeOptions = {}): Int32Array => {
    const ids = createIdBuffer(text.length >> 1);
    splitterOf(specials).split(text, offset, (part) => encodeText(part, ids), ids.push);
    return ids.toArray();
  };

  return {
    kind: 'byte-bpe',
    ...createTokenizerBase({ bytes, addedTokens, roles }),
    encode: (text, options) => encodeFrom(text, 0, options),
    createEncoder: (options = {}) => {
      const { mayReachOver } = splitterOf(options.specials ?? 'text');
      return createStreamEncoder({
        take: (text, offset) => encodeFrom(text, offset, options),
        mayCutAt: (text, position) =>
          preTokenizer.cutsAfterWords && isAfterWord(text, position) && !mayReachOver(text, position),
      });
    },
    toJSON: () => bpeToJson(vocabulary),
  };
};

const mergeTableOf = ({ tokens, merges }: BpeVocabulary, ids: ReadonlyMap<string, number>): MergeTable => {
  const table = createMergeTable(merges.length / 2);
  for (let rank = 0; rank < merges.length / 2; rank++) {
    const left = merges[2 * rank] as number;
    const right = merges[2 * rank + 1] as number;
    const merged = `${tokens[left]}${tokens[right]}`;
    const id = ids.get(merged);
    if (id === undefined)
      throw new TokenizerFormatError(`merges[${rank}] makes ${JSON.stringify(merged)}, which is not in the vocabulary`);
    table.set(left, right, rank, id);
  }
  return table;
};

/** Piece -> its ids at the end of the buffer, through the cache. */
const createPieceEncoder = (vocabulary: BpeVocabulary): ((piece: string, ids: IdBuffer) => void) => {
  const idOfToken = idsOfTokens(vocabulary.tokens);
  const mergePairs = createMergePairs(mergeTableOf(vocabulary, idOfToken));
  const cache = createPieceCache(cachedPieces);
  const missing = vocabulary.unknownId ?? -1;
  const idOfByte = Int32Array.from(charOfByte, (char) => idOfToken.get(char) ?? missing);
  let bytes = new Uint8Array(256);
  let symbols = new Int32Array(256);

  const symbolsOf = (piece: string): number => {
    if (piece.length * 3 > bytes.length) {
      bytes = new Uint8Array(piece.length * 3);
      symbols = new Int32Array(piece.length * 3);
    }
    const length = writeUtf8(piece, bytes);
    let count = 0;
    for (let i = 0; i < length; i++) {
      const id = idOfByte[bytes[i] as number] as number;
      if (id >= 0) symbols[count++] = id;
    }
    return count;
  };

  return (piece, ids) => {
    const known = cache.get(piece);
    if (typeof known === 'number') return ids.push(known);
    if (known !== undefined) return ids.pushAll(known, known.length);
    const length = symbolsOf(piece);
    const count = mergePairs(symbols, length);
    ids.pushAll(symbols, count);
    cache.set(piece, count === 1 ? (symbols[0] as number) : symbols.slice(0, count));
  };
};
