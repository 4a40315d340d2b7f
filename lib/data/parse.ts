// Raw files -> documents (text) and rows (fields by name), one at a time, with their line numbers. What cannot be read is reported in place, not skipped.
import { DataError } from './data-error.ts';
import { type Item, longestDocument, longestRow, type ParseOptions } from './item.ts';
import { parseDelimited } from './parse-delimited.ts';
import { decodeUtf8, readPieces, type Source } from './source.ts';

/** @throws {DataError} for a file that cannot be read as a whole */
export function parseSource(source: Source, options: ParseOptions): AsyncGenerator<Item> {
  switch (source.format) {
    case 'text':
      return parseText(source, options);
    case 'jsonl':
      return parseJsonLines(source, options);
    case 'json':
      return parseJsonArray(source, options);
    case 'csv':
      return parseDelimited(source, options, ',');
    case 'tsv':
      return parseDelimited(source, options, '\t');
    default:
      return source.format satisfies never;
  }
}

async function* parseText(source: Source, { separator, onBytes }: ParseOptions): AsyncGenerator<Item> {
  for await (const { bytes, line } of readPieces(source, { separator, maxBytes: longestDocument, onBytes })) {
    const text = decodeUtf8(bytes);
    if (text !== undefined) yield { kind: 'document', line, text };
    else if (separator !== '') yield { kind: 'dropped', line, reason: 'invalid_utf8' };
    else
      throw new DataError(
        'source',
        `${source.name} line ${lineOfInvalid(bytes)} is not UTF-8: convert the file first (iconv -t utf-8)`,
      );
  }
}

function lineOfInvalid(bytes: Buffer): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const end = bytes.indexOf(10, start) + 1 || bytes.length;
    if (decodeUtf8(bytes.subarray(start, end)) === undefined) return line;
    start = end;
  }
  return line;
}

async function* parseJsonLines(source: Source, { onBytes }: ParseOptions): AsyncGenerator<Item> {
  for await (const { bytes, line } of readPieces(source, { separator: '\n', maxBytes: longestRow, onBytes })) {
    const text = decodeUtf8(bytes)?.replace(/^\uFEFF/, '');
    if (text === undefined) yield { kind: 'dropped', line, reason: 'invalid_utf8' };
    else if (text.trim() !== '') yield toRow(parseJson(text), line);
  }
}

async function* parseJsonArray(source: Source, { onBytes }: ParseOptions): AsyncGenerator<Item> {
  for await (const { bytes } of readPieces(source, { separator: '', maxBytes: longestDocument, onBytes })) {
    const text = decodeUtf8(bytes)?.replace(/^\uFEFF/, '');
    if (text === undefined) throw new DataError('source', `${source.name} line ${lineOfInvalid(bytes)} is not UTF-8`);
    const rows = parseJson(text);
    if (!Array.isArray(rows)) {
      throw new DataError(
        'source',
        `${source.name} is not one JSON array of rows (one object a line is format "jsonl")`,
      );
    }
    for (const [i, row] of rows.entries()) yield toRow(row, i + 1);
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

function toRow(value: unknown, line: number): Item {
  if (value === undefined) return { kind: 'dropped', line, reason: 'invalid_json' };
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject) return { kind: 'dropped', line, reason: 'no_object' };
  return { kind: 'row', line, fields: value as Record<string, unknown> };
}
