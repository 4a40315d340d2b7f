// The classes of characters that pre-tokenisers ask about, as a table for the basic plane (one read per character instead of a regex).
// White space is Unicode's White_Space, as in Python's `regex` and Rust: it has U+0085 and lacks U+FEFF, unlike JavaScript's \s.

export const OTHER = 0;
export const LETTER = 1;
export const NUMBER = 2;
export const SPACE = 3;

const patterns: readonly (readonly [number, string])[] = [
  [LETTER, '\\p{L}'],
  [NUMBER, '\\p{N}'],
  [SPACE, '\\p{White_Space}'],
];

/** Class of each UTF-16 code unit; surrogates are OTHER (see classOfCodePoint). Marks count as OTHER here. */
export const classTable: Uint8Array = (() => {
  const table = new Uint8Array(65536);
  const plane = Array.from({ length: 65536 }, (_, code) =>
    code >>> 11 === 27 ? '\0' : String.fromCharCode(code),
  ).join('');
  for (const [kind, pattern] of patterns) {
    for (const match of plane.matchAll(new RegExp(`${pattern}+`, 'gu'))) {
      table.fill(kind, match.index, match.index + match[0].length);
    }
  }
  return table;
})();

const astralClasses = patterns.map(([kind, pattern]) => [kind, new RegExp(`^${pattern}$`, 'u')] as const);

export const classOfCodePoint = (codePoint: number): number => {
  if (codePoint < 65536) return classTable[codePoint] as number;
  const char = String.fromCodePoint(codePoint);
  return astralClasses.find(([, regex]) => regex.test(char))?.[0] ?? OTHER;
};

const markRegex = /^\p{M}/u;

/** Whether the character at `index` continues what stands before it: a combining mark. */
export const isMarkAt = (text: string, index: number): boolean =>
  markRegex.test(String.fromCodePoint(text.codePointAt(index) ?? 0));
