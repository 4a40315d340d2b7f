// Mixing of 32-bit words (the finaliser of MurmurHash3 by A. Appleby): the randomness of the order of samples. Not cryptographic.

const { imul } = Math;

/** One word into another, every bit of which depends on every bit. A bijection. */
export function mix32(word: number): number {
  let h = word | 0;
  h = imul(h ^ (h >>> 16), 0x85ebca6b);
  h = imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Several whole numbers of up to 53 bits (seeds, epochs, places) into one word. */
export function hash32(...numbers: number[]): number {
  let h = 0x9e3779b9;
  for (const number of numbers) {
    h = mix32(h ^ mix32(number >>> 0));
    h = mix32(h + Math.floor(number / 2 ** 32) + 1);
  }
  return h;
}

/** Evenly from 0 … limit - 1, limit up to 2^53, for a pair of words. */
export const below = (limit: number, high: number, low: number): number =>
  Math.floor((((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53) * limit);
