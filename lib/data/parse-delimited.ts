// Comma- and tab-separated tables -> rows.
import { pipeline, Readable } from 'node:stream';
import { parse as createCsvParser } from 'csv-parse';
import { readHeader } from './columns.ts';
import { DataError } from './data-error.ts';
import { type Item, longestRow, type ParseOptions } from './item.ts';
import { decodeUtf8, readChunks, type Source } from './source.ts';

/** With so many rows at hand, a header can be told from a first row of values. */
const looksAhead = 100;

export async function* parseDelimited(source: Source, options: ParseOptions, delimiter: string): AsyncGenerator<Item> {
  const records = readRecords(source, options, delimiter);
  const first: CsvRecord[] = [];
  while (first.length < looksAhead) {
    const { value, done } = await records.next();
    if (done) break;
    first.push(value);
  }
  if (first.length === 0) return;
  const readable = first.map(({ cells }) => cells.map((cell) => decodeUtf8(cell) ?? ''));
  const { keys, hasHeader } = readHeader(readable, { kind: options.kind, given: options.columns, source: source.name });
  for (const record of first.slice(hasHeader ? 1 : 0)) yield toItem(record, keys);
  for await (const record of records) yield toItem(record, keys);
}

interface CsvRecord {
  cells: Buffer[];
  line: number;
}

function toItem({ cells, line }: CsvRecord, keys: readonly string[]): Item {
  if (cells.length !== keys.length) return { kind: 'dropped', line, reason: 'wrong_columns' };
  const texts = cells.map(decodeUtf8);
  if (texts.includes(undefined)) return { kind: 'dropped', line, reason: 'invalid_utf8' };
  return { kind: 'row', line, fields: Object.fromEntries(keys.map((key, i) => [key, texts[i]])) };
}

/** Cells stay bytes, so that each can be checked. Tab-separated files know no quotes. */
async function* readRecords(source: Source, { onBytes }: ParseOptions, delimiter: string): AsyncGenerator<CsvRecord> {
  const parser = createCsvParser({
    delimiter,
    quote: delimiter === '\t' ? null : '"',
    bom: true,
    encoding: null,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: longestRow,
  });
  // An error on the way destroys the parser with it, and reading the parser throws it.
  pipeline(Readable.from(readChunks(source, onBytes)), parser, () => undefined);
  let line = 1;
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: Buffer[]; info: { lines: number } }>) {
      yield { cells: record, line };
      line = info.lines + 1;
    }
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (!code.startsWith('CSV_')) throw error;
    const what = `${source.name}, from line ${line} on, is no valid ${source.format.toUpperCase()}: ${message}`;
    throw new DataError('source', what, { cause: error });
  }
}
