// Encodes entries into a split's shards, and keeps the split's statistics.
import { ChatTemplateError, createChat } from '#lib/text/chat.ts';
import { type Tokenizer, UnknownCharacterError } from '#lib/text/tokenizer.ts';
import type { DataKind } from './columns.ts';
import { DataError, type DropReason } from './data-error.ts';
import type { Entry } from './entry.ts';
import type { Labels } from './labels.ts';
import type { ShardFiles, ShardWriter } from './shard-writer.ts';
import type { SplitName } from './split.ts';

export interface BuiltSplit {
  name: SplitName;
  documents: number;
  tokens: number;
  /** Tokens that carry loss. */
  lossTokens: number;
  /** UTF-8 bytes of the text that was encoded. */
  bytes: number;
  /** Class name -> rows. */
  labels: Record<string, number>;
  shards: ShardFiles[];
}

export interface Part {
  writer: ShardWriter;
  statistics: BuiltSplit;
  /** By the id that the label has for the time being. */
  rowsOfLabel: number[];
}

export interface Dropped {
  reason: DropReason;
  detail?: string;
}

/** Writes one entry to a part, or says why not. */
export type WriteEntry = (part: Part, entry: Entry) => Dropped | undefined;

export interface WriteEntryOptions {
  kind: DataKind;
  tokenizer: Tokenizer;
  labels: Labels;
  maxRowTokens: number;
}

/** @throws {DataError} where the tokenizer cannot do what this kind of data needs */
export function createEntryWriter({ kind, tokenizer, labels, maxRowTokens }: WriteEntryOptions): WriteEntry {
  switch (kind) {
    case 'text':
      return (part, entry) => writeText(part, (entry as Entry & { kind: 'text' }).text, tokenizer);
    case 'labelled':
      return (part, entry) => writeLabelled(part, entry as Entry & { kind: 'labelled' });
    case 'instructions':
      return createConversationWriter();
    default:
      return kind satisfies never;
  }

  function writeLabelled(part: Part, { text, label }: Entry & { kind: 'labelled' }): Dropped | undefined {
    const id = labels.idOf(label);
    if (id === undefined) return { reason: 'unknown_label', detail: JSON.stringify(label.slice(0, 40)) };
    const ids = encode(tokenizer, text).subarray(0, maxRowTokens);
    if (ids.length === 0) return { reason: 'empty' };
    part.writer.write(ids);
    part.writer.endRow(id);
    part.rowsOfLabel[id] = (part.rowsOfLabel[id] ?? 0) + 1;
    count(part, { tokens: ids.length, lossTokens: ids.length, text });
    return undefined;
  }

  function createConversationWriter(): WriteEntry {
    const chat = withDataError(() => createChat(tokenizer));
    return (part, entry) => {
      const { messages } = entry as Entry & { kind: 'instructions' };
      try {
        const { ids, mask, prompt } = chat.renderWithMask(messages);
        if (ids.length > maxRowTokens) return { reason: 'too_long', detail: `${ids.length} tokens` };
        part.writer.write(ids, mask);
        part.writer.endRow();
        count(part, { tokens: ids.length, lossTokens: mask.reduce((sum, bit) => sum + bit, 0), text: prompt });
        return undefined;
      } catch (error) {
        if ((error as Error).name === 'ChatTemplateError')
          return { reason: 'chat_template', detail: (error as Error).message };
        throw error;
      }
    };
  }
}

/** Pieces keep the ids of a large document from being in memory at once. */
const pieceLength = 1 << 20;

/** Between documents stands the tokenizer's end-of-text token, where it has one. */
function writeText(part: Part, text: string, tokenizer: Tokenizer): undefined {
  const { writer, statistics } = part;
  let tokens = 0;
  const write = (ids: Int32Array): void => {
    writer.write(ids);
    tokens += ids.length;
  };
  if (statistics.documents > 0 && tokenizer.eosId !== undefined) write(Int32Array.of(tokenizer.eosId));
  const encoder = tokenizer.createEncoder();
  withDataError(() => {
    for (let at = 0; at < text.length; at += pieceLength) write(encoder.push(text.slice(at, at + pieceLength)));
    write(encoder.end());
  });
  writer.endRow();
  count(part, { tokens, lossTokens: tokens, text });
}

const encode = (tokenizer: Tokenizer, text: string): Int32Array => withDataError(() => tokenizer.encode(text));

function count(
  { statistics }: Part,
  { tokens, lossTokens, text }: { tokens: number; lossTokens: number; text: string },
): void {
  statistics.documents++;
  statistics.tokens += tokens;
  statistics.lossTokens += lossTokens;
  statistics.bytes += Buffer.byteLength(text);
}

/** What the tokenizer cannot do is something the caller can choose differently. */
function withDataError<T>(use: () => T): T {
  try {
    return use();
  } catch (error) {
    if (error instanceof UnknownCharacterError) {
      throw new DataError(
        'tokenizer',
        `${error.message}: choose a byte-level tokenizer, or train one on these texts too`,
        { cause: error },
      );
    }
    if (error instanceof ChatTemplateError) {
      throw new DataError('tokenizer', `${error.message}: instructions need a tokenizer with one`, { cause: error });
    }
    throw error;
  }
}
