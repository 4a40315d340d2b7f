// Special tokens typed into a message must stay text, while those that the chat template writes are control. Both end up in one
// string, so the typed ones are broken by a mark (a code point that Unicode keeps free of characters) until they are encoded.

import { type AddedToken, createAddedTokens } from './added-tokens.ts';
import { createIdBuffer } from './id-buffer.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface SpecialsGuard {
  /** Breaks the special tokens in a message's content. */
  readonly guard: (content: string) => string;
  /** The prompt as it reads. */
  readonly clean: (prompt: string) => string;
  /** Ids of a prompt: unbroken special tokens are parsed, all else is text. */
  readonly encode: (prompt: string) => Int32Array;
  /** Where the unbroken special tokens lie. */
  readonly find: (prompt: string) => Span[];
}

/** Part of a text: from `start` to just before `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const firstMark = 0xfdd0;
const marks = 32;

/** `contents`: everything the prompt will be made of; the mark is one that stands in none of them. */
export const createSpecialsGuard = (tokenizer: Tokenizer, contents: readonly string[]): SpecialsGuard => {
  const tokens = Array.from(tokenizer.specialTokens, ([content, id]): AddedToken => ({ content, id, special: true }));
  const { split } = createAddedTokens(tokens)('parse');
  const contentOfId = new Map(tokens.map(({ id, content }) => [id, content]));
  const mark = Array.from({ length: marks }, (_, i) => String.fromCharCode(firstMark + i)).find((char) =>
    contents.every((content) => !content.includes(char)),
  );
  if (mark === undefined)
    throw new RangeError('the messages contain all of the code points U+FDD0 to U+FDEF, which are no characters');
  const clean = (prompt: string): string => prompt.replaceAll(mark, '');
  return {
    clean,
    guard: (content) => {
      let guarded = '';
      const keep = (text: string): void => {
        guarded += text;
      };
      split(content, 0, keep, (id) => keep(broken(contentOfId.get(id) as string, mark)));
      return guarded;
    },
    encode: (prompt) => {
      const ids = createIdBuffer(prompt.length >> 1);
      const encodeText = (text: string): void => {
        const part = tokenizer.encode(clean(text));
        ids.pushAll(part, part.length);
      };
      split(prompt, 0, encodeText, ids.push);
      return ids.toArray();
    },
    find: (prompt) => {
      const spans: Span[] = [];
      let position = 0;
      const pass = (text: string): void => {
        position += text.length;
      };
      split(prompt, 0, pass, (id) => {
        const start = position;
        pass(contentOfId.get(id) as string);
        spans.push({ start, end: position });
      });
      return spans;
    },
  };
};

const broken = (special: string, mark: string): string => {
  const [first = '', ...rest] = special;
  return `${first}${mark}${rest.join('')}`;
};
