// Text that arrives in chunks: what has come is taken up to a place where the whole text has a boundary too, whatever follows; the
// rest waits. So neither ids nor counts depend on how the text was cut.

import type { StreamEncoder } from './tokenizer.ts';
import { classTable, isMarkAt, LETTER, NUMBER, OTHER, SPACE } from './unicode-classes.ts';

export interface TextStream<T> {
  /** What `take` made of the text up to the last safe place; undefined where there is none yet. */
  push(chunk: string): T | undefined;
  end(): T;
  /** How much text waits, in UTF-16 units. */
  waitingLength(): number;
}

export interface TextStreamParts<T> {
  /** `offset`: where `text` begins in the whole text. */
  readonly take: (text: string, offset: number) => T;
  /** Whether the text may be cut at `position`, given what has come so far. */
  readonly mayCutAt: (text: string, position: number) => boolean;
}

export const createTextStream = <T>({ take, mayCutAt }: TextStreamParts<T>): TextStream<T> => {
  let waiting = '';
  let offset = 0;
  const takeUpTo = (end: number): T => {
    const taken = take(waiting.slice(0, end), offset);
    waiting = waiting.slice(end);
    offset += end;
    return taken;
  };
  return {
    push: (chunk) => {
      // Earlier places were looked at when they came.
      const first = Math.max(1, waiting.length);
      waiting += chunk;
      for (let position = waiting.length - 1; position >= first; position--) {
        if (mayCutAt(waiting, position)) return takeUpTo(position);
      }
      return undefined;
    },
    end: () => takeUpTo(waiting.length),
    waitingLength: () => waiting.length,
  };
};

export const createStreamEncoder = (parts: TextStreamParts<Int32Array>): StreamEncoder => {
  const stream = createTextStream(parts);
  return { ...stream, push: (chunk) => stream.push(chunk) ?? new Int32Array(0) };
};

const APOSTROPHE = 0x27;

/** After a letter or number, before anything that cannot continue it: see PreTokenizer.cutsAfterWords. */
export const isAfterWord = (text: string, position: number): boolean => {
  const before = classTable[text.charCodeAt(position - 1)];
  if (before !== LETTER && before !== NUMBER) return false;
  const code = text.charCodeAt(position);
  const after = classTable[code];
  if (after === SPACE) return true;
  return after === OTHER && code !== APOSTROPHE && code >>> 11 !== 27 && !isMarkAt(text, position);
};

/** Not inside a surrogate pair. */
export const isBetweenCodePoints = (text: string, position: number): boolean =>
  !(text.charCodeAt(position - 1) >>> 10 === 54 && text.charCodeAt(position) >>> 10 === 55);
