// Which part a document belongs to. By hash: the content and the seed decide, so a document stays in its part when others come or go.
// Contiguous: each text's last shares of characters (nanoGPT's 90/10).
import { createHash } from 'node:crypto';

export const splitNames = ['train', 'validation', 'test'] as const;
export type SplitName = (typeof splitNames)[number];

export interface SplitShares {
  validation: number;
  test: number;
}

/** The same text (but for the space around it) and seed give the same part. */
export function splitOf(text: string, seed: number, { validation, test }: SplitShares): SplitName {
  const digest = createHash('sha256').update(`${seed}\n`).update(text.trim()).digest();
  const place = digest.readUIntBE(0, 6) / 2 ** 48;
  if (place < test) return 'test';
  return place < test + validation ? 'validation' : 'train';
}

/** The text cut in three by characters (code points); parts may be empty. */
export function splitContiguously(text: string, { validation, test }: SplitShares): Record<SplitName, string> {
  const characters = countCharacters(text);
  const toTrain = Math.floor(characters * (1 - validation - test));
  const toValidation = Math.floor(characters * (1 - test));
  const [first, second] = [toTrain, toValidation].map((count) => unitsOf(text, count));
  return { train: text.slice(0, first), validation: text.slice(first, second), test: text.slice(second) };
}

const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

function countCharacters(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) if (!isLowSurrogate(text.charCodeAt(i))) count++;
  return count;
}

/** Where the first `characters` code points end, in UTF-16 units. */
function unitsOf(text: string, characters: number): number {
  let seen = 0;
  for (let i = 0; i < text.length; i++) {
    if (isLowSurrogate(text.charCodeAt(i))) continue;
    if (seen++ === characters) return i;
  }
  return text.length;
}
