// What every tokenizer offers, whatever its kind. Ids are 0 … vocabSize - 1, held in Int32Array; text is a JavaScript string.
// Implementations: byte-bpe.ts, char.ts. Made by load-tokenizer.ts (tokenizer.json), gpt2.ts, gguf-tokenizer.ts, train-bpe.ts, char.ts.

import type { TokenizerConfig } from './tokenizer-config.ts';
import type { TokenizerJson } from './tokenizer-json.ts';

export const tokenizerKinds = ['byte-bpe', 'char'] as const;
export type TokenizerKind = (typeof tokenizerKinds)[number];

/**
 * What becomes of special tokens (such as `<|endoftext|>`) that stand written in the text:
 * 'text' — ordinary text (the default, safe for what users type); 'parse' — their own ids;
 * 'reject' — SpecialTokenError; a set — those in it are parsed, the others are text.
 */
export type SpecialMode = 'text' | 'parse' | 'reject' | ReadonlySet<string>;

export interface EncodeOptions {
  readonly specials?: SpecialMode;
}

export interface DecodeOptions {
  /** Leaves special tokens out of the text. Default false. */
  readonly skipSpecialTokens?: boolean;
}

/** Text in chunks -> ids; all ids together equal those of the whole text, however it was cut. */
export interface StreamEncoder {
  push(chunk: string): Int32Array;
  end(): Int32Array;
  /** How much text waits for a place where it may be cut, in UTF-16 units: mostly a word, but a text may have no such place. */
  waitingLength(): number;
}

/** Ids in chunks -> text; never half a character, and all texts together equal decode() of all ids. */
export interface StreamDecoder {
  push(ids: ArrayLike<number>): string;
  end(): string;
}

export interface Tokenizer {
  readonly kind: TokenizerKind;
  /** Largest id + 1: the number of rows an embedding needs. */
  readonly vocabSize: number;
  /** Special token -> id. */
  readonly specialTokens: ReadonlyMap<string, number>;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly padId: number | undefined;
  /** Jinja source; chat.ts renders it. */
  readonly chatTemplate: string | undefined;
  encode(text: string, options?: EncodeOptions): Int32Array;
  /** Bytes that are no valid UTF-8 become U+FFFD. Throws RangeError for an id outside the vocabulary. */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  decodeBytes(ids: ArrayLike<number>, options?: DecodeOptions): Uint8Array;
  createEncoder(options?: EncodeOptions): StreamEncoder;
  createDecoder(options?: DecodeOptions): StreamDecoder;
  /** The object of Hugging Face's tokenizer.json. */
  toJSON(): TokenizerJson;
  /** The object of Hugging Face's tokenizer_config.json: bos, eos, pad, chat template. */
  toConfig(): TokenizerConfig;
}

/** A special token stands in text whose caller forbade it. */
export class SpecialTokenError extends Error {
  override readonly name = 'SpecialTokenError';
  readonly token: string;
  readonly position: number;

  constructor(token: string, position: number) {
    super(
      `the text contains the special token ${JSON.stringify(token)} at position ${position}, which is not allowed here`,
    );
    this.token = token;
    this.position = position;
  }
}

/** A character that a character-level vocabulary does not have. */
export class UnknownCharacterError extends Error {
  override readonly name = 'UnknownCharacterError';
  readonly character: string;
  readonly position: number;

  constructor(character: string, position: number) {
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    super(`character ${JSON.stringify(character)} (U+${code}) at position ${position} is not in the vocabulary`);
    this.character = character;
    this.position = position;
  }
}

/** A file or metadata that no tokenizer can be made of; the message says which field and why. */
export class TokenizerFormatError extends Error {
  override readonly name = 'TokenizerFormatError';
}
