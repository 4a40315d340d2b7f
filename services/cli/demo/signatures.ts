// The demo's assistant: a TypeScript declaration in, the first sentence of its doc comment out.
import type { Document } from './corpus.ts';

export interface InstructionRow {
  instruction: string;
  input: string;
  output: string;
}

export const instruction = 'Say in one sentence what this declaration is for.';

const documented = /\/\*\*([\s\S]*?)\*\/\s*\n\s*([^\n]+)/g;
const longestSignature = 120;

/** `* Returns x. More.` -> `Returns x.`; undefined where the comment does not begin with a plain sentence. */
function firstSentence(comment: string): string | undefined {
  const text = comment
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trim())
    .join(' ')
    .replaceAll(/\{@link(?:code|plain)?\s+([^}|]+)[^}]*\}/g, '$1')
    .replaceAll(/\s+/g, ' ')
    .trim();
  const sentence = /^[A-Z][^@<>]{15,110}?\.(?=\s|$)/.exec(text)?.[0];
  return sentence?.includes('http') ? undefined : sentence;
}

const signatureOf = (line: string): string =>
  line
    .trim()
    .replace(/\s*\{$/, '')
    .replace(/;$/, '');

/** Rows with different answers only, in the documents' order. */
export function instructionRows(documents: Document[], maxRows: number): InstructionRow[] {
  const rows = new Map<string, InstructionRow>();
  for (const { kind, text } of documents) {
    if (kind !== 'code') continue;
    for (const [, comment = '', line = ''] of text.matchAll(documented)) {
      const output = firstSentence(comment);
      const input = signatureOf(line);
      const usable = output && input.length <= longestSignature && /[(:]|^export/.test(input) && !input.startsWith('*');
      if (usable && !rows.has(output)) rows.set(output, { instruction, input, output });
    }
    if (rows.size >= maxRows) break;
  }
  return [...rows.values()].slice(0, maxRows);
}
