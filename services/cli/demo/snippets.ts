// The demo's classifier: is a snippet documentation or code? Rows are cut from documents that the base model may have seen, labels from the file's kind.
import type { Document } from './corpus.ts';

export interface LabelledRow {
  text: string;
  label: Document['kind'];
}

// Short enough that counting words does not settle it.
const shortest = 40;
const longest = 60;

/** Paragraphs of prose: fenced code, headings, tables, badges and HTML are no prose. */
const proseParagraphs = (text: string): string[] =>
  text
    .replaceAll(/^```[\s\S]*?^```/gm, '')
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.trim())
    .filter((paragraph) => /^[A-Z]/.test(paragraph) && !/[|<>]|!\[|^#/m.test(paragraph));

/** Declarations with their comments taken away: a comment would be prose again. */
const codeParagraphs = (text: string): string[] =>
  text
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/^\s*\/\/.*$/gm, '')
    .split(/\n(?=\S)/)
    .map((paragraph) => paragraph.trim())
    .filter((paragraph) => /[;{}]/.test(paragraph));

const fits = (text: string): boolean => text.length >= shortest;

/** As many rows of each label, at most two from one document, alternating. */
export function labelledRows(documents: Document[], rowsPerLabel: number): LabelledRow[] {
  const cut = (kind: Document['kind'], paragraphs: (text: string) => string[]) =>
    documents
      .filter((document) => document.kind === kind)
      .flatMap(({ text }) => paragraphs(text).filter(fits).slice(0, 2))
      .slice(0, rowsPerLabel)
      .map((text) => ({ text: text.slice(0, longest), label: kind }));
  const prose = cut('documentation', proseParagraphs);
  const code = cut('code', codeParagraphs);
  return prose.slice(0, code.length).flatMap((row, index) => [row, ...code.slice(index, index + 1)]);
}
