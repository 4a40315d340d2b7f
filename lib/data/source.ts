// A file of raw data: its format, its bytes in pieces with their line numbers, and what is refused as a whole.
import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { DataError } from './data-error.ts';
import type { SplitName } from './split.ts';

export const sourceFormats = ['text', 'jsonl', 'json', 'csv', 'tsv'] as const;
export type SourceFormat = (typeof sourceFormats)[number];

export interface Source {
  path: string;
  /** What messages call it. */
  name: string;
  format: SourceFormat;
  /** Where all its rows go; otherwise by shares. */
  split?: SplitName | undefined;
}

const endings: Record<string, SourceFormat> = {
  txt: 'text',
  text: 'text',
  md: 'text',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  json: 'json',
  csv: 'csv',
  tsv: 'tsv',
};

/** By the file's ending; for another ending, rows by what the first line looks like, and documents as text. */
export function formatOf(name: string, head: Uint8Array, holds: 'documents' | 'rows'): SourceFormat {
  const ending = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  const known = endings[ending];
  if (known && !(known === 'text' && holds === 'rows')) return known;
  if (holds === 'documents') return 'text';
  const [line = ''] = new TextDecoder().decode(head).trimStart().split('\n');
  if (line.startsWith('{')) return 'jsonl';
  if (line.startsWith('[')) return 'json';
  if (line.includes('\t')) return 'tsv';
  if (line.includes(',')) return 'csv';
  throw new DataError(
    'source',
    `${name}: is this jsonl, json, csv or tsv? Its ending and first line do not say: give its format`,
  );
}

/** The file's bytes. A file that is no text is refused by its first bytes. */
export async function* readChunks({ path, name }: Source, onBytes?: (count: number) => void): AsyncGenerator<Buffer> {
  let isFirst = true;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>) {
    if (isFirst) refuseBinary(chunk.subarray(0, 8192), name);
    isFirst = false;
    onBytes?.(chunk.length);
    yield chunk;
  }
}

const signatures: [string, number[]][] = [
  ['gzip-compressed', [0x1f, 0x8b]],
  ['a zip archive', [0x50, 0x4b, 3, 4]],
  ['zstd-compressed', [0x28, 0xb5, 0x2f, 0xfd]],
  ['a PDF', [0x25, 0x50, 0x44, 0x46, 0x2d]],
  ['a Parquet file', [0x50, 0x41, 0x52, 0x31]],
  ['UTF-16', [0xff, 0xfe]],
  ['UTF-16', [0xfe, 0xff]],
];

function refuseBinary(head: Buffer, name: string): void {
  const [kind] = signatures.find(([, bytes]) => bytes.every((byte, i) => head[i] === byte)) ?? [];
  if (!kind && !head.includes(0)) return;
  const what = kind ? `is ${kind}` : 'holds binary data';
  throw new DataError('source', `${name} ${what}: give it as plain UTF-8 text, JSONL, JSON, CSV or TSV`);
}

export interface Piece {
  bytes: Buffer;
  /** Its first line, from 1. */
  line: number;
}

export interface PiecesOptions {
  /** What lies between pieces; empty: the file is one piece. */
  separator: string;
  /** Longer pieces are refused. */
  maxBytes: number;
  onBytes?: ((count: number) => void) | undefined;
}

const lineFeed = 10;

/** The file cut at every separator. In a file whose first line ends with CR LF, the separator's line feeds stand for CR LF. */
export async function* readPieces(
  source: Source,
  { separator, maxBytes, onBytes }: PiecesOptions,
): AsyncGenerator<Piece> {
  let mark: Buffer | undefined;
  const pending = createByteQueue();
  let line = 1;
  const take = (length: number): Piece => {
    const piece = { bytes: pending.take(length), line };
    line += countLineFeeds(piece.bytes);
    return piece;
  };
  for await (const chunk of readChunks(source, onBytes)) {
    mark ??= Buffer.from(hasWindowsLines(chunk) ? separator.replaceAll('\n', '\r\n') : separator);
    pending.push(chunk);
    for (let at = pending.find(mark); at >= 0; at = pending.find(mark)) {
      yield take(at);
      line += countLineFeeds(pending.take(mark.length));
    }
    if (pending.length > maxBytes) {
      const hint = source.format === 'text' ? ': give a document separator that it contains' : '';
      throw new DataError(
        'source',
        `${source.name} line ${line}: a single piece of more than ${maxBytes} bytes${hint}`,
      );
    }
  }
  if (pending.length > 0) yield take(pending.length);
}

/** undefined where the bytes are no UTF-8. */
export const decodeUtf8 = (bytes: Buffer): string | undefined => (isUtf8(bytes) ? bytes.toString('utf8') : undefined);

function countLineFeeds(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) count++;
  return count;
}

function hasWindowsLines(head: Buffer): boolean {
  const at = head.indexOf(lineFeed);
  return at > 0 && head[at - 1] === 13;
}

/** Bytes that come in chunks and go in pieces; what was searched once is not searched again. */
function createByteQueue() {
  let store = Buffer.alloc(1 << 16);
  let start = 0;
  let end = 0;
  let searched = 0;
  return {
    get length() {
      return end - start;
    },
    push(chunk: Buffer): void {
      if (end + chunk.length > store.length) {
        const needed = end - start + chunk.length;
        const larger = needed > store.length / 2 ? Buffer.alloc(2 * needed) : store;
        store.copy(larger, 0, start, end);
        searched -= start;
        end -= start;
        start = 0;
        store = larger;
      }
      chunk.copy(store, end);
      end += chunk.length;
    },
    /** Where the mark begins, from the queue's first byte; -1: not yet there. */
    find(mark: Buffer): number {
      if (mark.length === 0) return -1;
      const at = store.subarray(0, end).indexOf(mark, Math.max(start, searched));
      searched = at >= 0 ? at : Math.max(start, end - mark.length + 1);
      return at < 0 ? -1 : at - start;
    },
    take(length: number): Buffer {
      const piece = Buffer.from(store.subarray(start, start + length));
      start += length;
      return piece;
    },
  };
}
