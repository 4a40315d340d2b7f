// What is known about a tokenizer without loading it, and how it is said in the contract.
import { createHash } from 'node:crypto';
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { TokenizerKind, type Tokenizer as TokenizerMessage } from '#lib/contracts/gen/strata/tokenizer/v1/tokenizer.ts';
import type { TokenizerKind as Kind, Tokenizer } from '#lib/text/tokenizer.ts';

export interface Description {
  kind: Kind;
  vocabSize: number;
  specialTokens: Record<string, number>;
  chatTemplate: string;
  /** Of tokenizer.json. */
  sha256: string;
}

export const describe = (tokenizer: Tokenizer, tokenizerJson: string): Description => ({
  kind: tokenizer.kind,
  vocabSize: tokenizer.vocabSize,
  specialTokens: Object.fromEntries(tokenizer.specialTokens),
  chatTemplate: tokenizer.chatTemplate ?? '',
  sha256: createHash('sha256').update(tokenizerJson).digest('hex'),
});

const kinds = {
  'byte-bpe': TokenizerKind.TOKENIZER_KIND_BYTE_BPE,
  char: TokenizerKind.TOKENIZER_KIND_CHAR,
} as const satisfies Record<Kind, TokenizerKind>;

export const toMessage = (ref: ArtifactRef, description: Description, createTime: string): TokenizerMessage => ({
  ...description,
  ref,
  kind: kinds[description.kind],
  createTime,
});
