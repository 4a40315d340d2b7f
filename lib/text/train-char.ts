// The character vocabulary of a text: its distinct code points in order of their numbers, then the special tokens.

import { createCharTokenizer } from './char.ts';
import { rolesOfSpecials } from './default-roles.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface CharTrainer {
  add(text: string): void;
  finish(): Tokenizer;
}

export interface CharTrainerOptions {
  readonly specialTokens?: readonly string[];
  /** A special token that stands for every character not seen in training; without it such characters are errors. */
  readonly unknownToken?: string | undefined;
}

/** Order and chunks of what is added make no difference. */
export const createCharTrainer = ({ specialTokens = [], unknownToken }: CharTrainerOptions = {}): CharTrainer => {
  const codePoints = new Set<number>();
  const specials = unknownToken === undefined ? specialTokens : [...new Set([...specialTokens, unknownToken])];
  return {
    add: (text) => {
      for (const char of text) codePoints.add(char.codePointAt(0) as number);
    },
    finish: () => {
      const chars = [...codePoints].sort((a, b) => a - b).map((codePoint) => String.fromCodePoint(codePoint));
      const addedTokens = specials.map((content, i) => ({ id: chars.length + i, content, special: true }));
      return createCharTokenizer({
        chars,
        addedTokens,
        unknownId: addedTokens.find(({ content }) => content === unknownToken)?.id,
        roles: rolesOfSpecials(specials),
      });
    },
  };
};
