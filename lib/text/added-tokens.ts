// Tokens that are found in the text before anything else: special ones (<|endoftext|>, <|im_start|>), as far as the caller's mode
// allows, and added ones that are not special, always. Where several match, the leftmost counts, and of those the longest.

import { type SpecialMode, SpecialTokenError } from './tokenizer.ts';

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** A special token is control, not content: it is matched only where the caller's mode says so, and skipped on request. */
  readonly special: boolean;
}

/** Cuts text at the tokens that a mode makes visible; offsets count from the beginning of the whole text. */
export interface AddedTokenSplitter {
  readonly split: (
    text: string,
    offset: number,
    onText: (text: string, offset: number) => void,
    onToken: (id: number) => void,
  ) => void;
  /** Whether one of the tokens may reach over `position`, given the text so far: a stream is not cut there. */
  readonly mayReachOver: (text: string, position: number) => boolean;
}

const escapeRegex = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

const isVisible = (token: AddedToken, mode: SpecialMode): boolean => {
  if (!token.special || mode === 'parse' || mode === 'reject') return true;
  return mode === 'text' ? false : mode.has(token.content);
};

const checkMode = (tokens: readonly AddedToken[], mode: SpecialMode): void => {
  if (typeof mode === 'string') return;
  for (const name of mode) {
    if (!tokens.some(({ content, special }) => special && content === name)) {
      throw new RangeError(`specials: ${JSON.stringify(name)} is not a special token of this tokenizer`);
    }
  }
};

/** One splitter a mode; those of the three named modes are kept. */
export const createAddedTokens = (tokens: readonly AddedToken[]): ((mode: SpecialMode) => AddedTokenSplitter) => {
  const kept = new Map<string, AddedTokenSplitter>();
  return (mode) => {
    checkMode(tokens, mode);
    const known = typeof mode === 'string' ? kept.get(mode) : undefined;
    if (known) return known;
    const visible = tokens.filter((token) => isVisible(token, mode));
    const splitter = createSplitter(visible, mode === 'reject');
    if (typeof mode === 'string') kept.set(mode, splitter);
    return splitter;
  };
};

const createSplitter = (tokens: readonly AddedToken[], rejects: boolean): AddedTokenSplitter => {
  if (tokens.length === 0) return { split: (text, offset, onText) => onText(text, offset), mayReachOver: () => false };
  const byContent = new Map(tokens.map((token) => [token.content, token]));
  const longestFirst = [...byContent.keys()].sort((a, b) => b.length - a.length);
  const regex = new RegExp(longestFirst.map(escapeRegex).join('|'), 'gu');
  return {
    split: (text, offset, onText, onToken) => {
      let start = 0;
      for (const match of text.matchAll(regex)) {
        const token = byContent.get(match[0]) as AddedToken;
        if (rejects && token.special) throw new SpecialTokenError(token.content, offset + match.index);
        if (match.index > start) onText(text.slice(start, match.index), offset + start);
        onToken(token.id);
        start = match.index + match[0].length;
      }
      if (start < text.length) onText(text.slice(start), offset + start);
    },
    mayReachOver: (text, position) => longestFirst.some((content) => reachesOver(content, text, position)),
  };
};

const reachesOver = (content: string, text: string, position: number): boolean => {
  const from = Math.max(0, position - content.length + 1);
  for (let start = from; start < position; start++) {
    const seen = text.slice(start, start + content.length);
    if (content.startsWith(seen)) return true;
  }
  return false;
};
