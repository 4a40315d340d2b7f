// Pre-tokenisers cut text into pieces (roughly words with their leading space); byte-pair merges never cross a piece.
// GPT-2's rule and SmolLM2's (the same with each digit on its own) are hand-written scans over a class table; the regular
// expression they come from is beside them as documentation and as the oracle of the tests. Other rules are compiled regexes.

import type { StageJson } from './tokenizer-json.ts';
import { classOfCodePoint, classTable, LETTER, NUMBER, OTHER, SPACE } from './unicode-classes.ts';

export type SplitText = (text: string, visit: (piece: string) => void) => void;

export interface PreTokenizer {
  readonly split: SplitText;
  /**
   * Whether split(a + b) = split(a), split(b) wherever `a` ends with a letter or number and `b` begins with something
   * else than a letter, number, mark or apostrophe. Streams are cut there; without it they have to wait for the end.
   */
  readonly cutsAfterWords: boolean;
  /** Its stage in tokenizer.json. */
  readonly json: StageJson;
}

/** OpenAI's expression for GPT-2, in JavaScript's syntax. */
export const gpt2Pattern =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+";

/** Digits apart first, then GPT-2's expression on what lies between them, as one expression. */
export const smollmPattern =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+|\\p{N}| ?[^\\p{White_Space}\\p{L}\\p{N}]+|\\p{White_Space}+(?![^\\p{White_Space}\\p{N}])|\\p{White_Space}+";

const APOSTROPHE = 0x27;
const BLANK = 0x20;

const classAt = (text: string, index: number): number => {
  const code = text.charCodeAt(index);
  return code >>> 11 === 27 ? classOfCodePoint(text.codePointAt(index) as number) : (classTable[code] as number);
};

const widthAt = (text: string, index: number): number => ((text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1);

/** End of the run of characters of one class that begins at `index`. */
const runEnd = (text: string, index: number, kind: number): number => {
  let end = index;
  while (end < text.length) {
    const code = text.charCodeAt(end);
    if (code >>> 11 === 27) {
      if (classAt(text, end) !== kind) break;
      end += widthAt(text, end);
    } else {
      if (classTable[code] !== kind) break;
      end++;
    }
  }
  return end;
};

/** Length of the contraction ('s, 't, 'm, 'd, 're, 've, 'll) at an apostrophe; 0 where there is none. */
const contractionLength = (text: string, index: number): number => {
  const next = text[index + 1];
  if (next === 's' || next === 't' || next === 'm' || next === 'd') return 2;
  const after = text[index + 2];
  if ((next === 'r' || next === 'v') && after === 'e') return 3;
  return next === 'l' && after === 'l' ? 3 : 0;
};

/** End of the white space at `index`: one character is left to a following word, which takes a blank with it. */
const spaceEnd = (text: string, index: number, singleDigits: boolean): number => {
  const end = runEnd(text, index, SPACE);
  const leavesOne = end < text.length && end > index + 1 && !(singleDigits && classAt(text, end) === NUMBER);
  return leavesOne ? end - 1 : end;
};

const pieceEnd = (text: string, start: number, singleDigits: boolean): number => {
  const code = text.charCodeAt(start);
  if (code === APOSTROPHE) {
    const length = contractionLength(text, start);
    if (length > 0) return start + length;
  }
  const kind = classAt(text, start);
  if (kind === NUMBER && singleDigits) return start + widthAt(text, start);
  if (kind !== SPACE) return runEnd(text, start, kind);
  if (code === BLANK && start + 1 < text.length) {
    const next = classAt(text, start + 1);
    if (next === LETTER || next === OTHER || (next === NUMBER && !singleDigits)) return runEnd(text, start + 1, next);
  }
  return spaceEnd(text, start, singleDigits);
};

const scan =
  (singleDigits: boolean): SplitText =>
  (text, visit) => {
    let start = 0;
    while (start < text.length) {
      const end = pieceEnd(text, start, singleDigits);
      visit(text.slice(start, end));
      start = end;
    }
  };

const byteLevelJson = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true } as const;
const digitsJson = { type: 'Digits', individual_digits: true } as const;

export const gpt2PreTokenizer: PreTokenizer = { split: scan(false), cutsAfterWords: true, json: byteLevelJson };

export const smollmPreTokenizer: PreTokenizer = {
  split: scan(true),
  cutsAfterWords: true,
  json: { type: 'Sequence', pretokenizers: [digitsJson, byteLevelJson] },
};

/** The matches of `regex` and what lies between them, all as pieces (Hugging Face's "Isolated"). */
export const splitByRegex =
  (regex: RegExp): SplitText =>
  (text, visit) => {
    let start = 0;
    for (const match of text.matchAll(regex)) {
      if (match.index > start) visit(text.slice(start, match.index));
      if (match[0].length > 0) visit(match[0]);
      start = match.index + match[0].length;
    }
    if (start < text.length) visit(text.slice(start));
  };

/** Each split applied to the pieces of the one before it. */
export const splitInTurn = (splits: readonly SplitText[]): SplitText =>
  splits.reduceRight<SplitText>(
    (inner, outer) => (text, visit) => outer(text, (piece) => inner(piece, visit)),
    (text, visit) => visit(text),
  );
