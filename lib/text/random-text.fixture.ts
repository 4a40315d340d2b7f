// Random texts for property tests: drawn from a seed, and rich in what breaks tokenizers (spaces, apostrophes, digits of
// several scripts, combining marks, astral letters and emoji, control characters, special tokens).

const fragments = [
  'the',
  'a',
  'I',
  'don',
  "'t",
  "'ll",
  "'re",
  "'",
  'S',
  ' ',
  ' ',
  '  ',
  '\n',
  '\r\n',
  '\t',
  '\u0085',
  '\u00a0',
  '\u3000',
  '\ufeff',
  '0',
  '7',
  '42',
  '٣',
  '½',
  '五',
  'é',
  'e\u0301',
  'ß',
  'ż',
  '中文',
  'Привет',
  'हिन्दी',
  '𝒜',
  '𝟘',
  '🦊',
  '👩‍👩‍👧',
  '\u200d',
  '.',
  '!',
  '--',
  '_',
  '"',
  '<|endoftext|>',
  '<|im_start|>',
  '<|',
  '|>',
  '\0',
  '\x7f',
  'w',
  'x'.repeat(20),
];

/** A uniform generator in [0, 1): mulberry32. */
export const createRandom = (seed: number): (() => number) => {
  let state = (seed + 0x9e3779b9) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
};

/** Well-formed text of up to `maxFragments` fragments; one in ten is any code point at all. */
export const randomText = (seed: number, maxFragments: number): string => {
  const random = createRandom(seed);
  const pick = (): string => {
    if (random() < 0.9) return fragments[Math.floor(random() * fragments.length)] as string;
    const codePoint = Math.floor(random() * 0x110000);
    return codePoint >= 0xd800 && codePoint < 0xe000 ? '?' : String.fromCodePoint(codePoint);
  };
  return Array.from({ length: Math.floor(random() * maxFragments) }, pick).join('');
};

/** `text` cut at random places, also inside surrogate pairs. */
export const randomChunks = (seed: number, text: string): string[] => {
  const random = createRandom(seed);
  const chunks: string[] = [];
  for (let start = 0; start < text.length; ) {
    const end = Math.min(text.length, start + Math.floor(random() * 12));
    chunks.push(text.slice(start, end));
    start = end;
  }
  return chunks;
};
