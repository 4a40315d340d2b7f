// A parsed item -> what a dataset of its kind is made of, normalised: a text, a text with its label, or a conversation.
import { type Columns, type DataKind, findColumns, isComplete, missingColumns } from './columns.ts';
import type { DropReason } from './data-error.ts';
import type { Item } from './item.ts';
import { normalise } from './normalise.ts';

export interface Message {
  role: string;
  content: string;
}

export type Entry =
  | { kind: 'text'; text: string }
  | { kind: 'labelled'; text: string; label: string }
  | { kind: 'instructions'; messages: Message[] };

export type EntryOrDrop = Entry | { kind: 'dropped'; reason: DropReason };

export interface EntryOptions {
  kind: DataKind;
  source: string;
  columns: Readonly<Record<string, string>>;
}

/**
 * The first row of a source decides whether its columns do; later rows that lack one are dropped.
 * @throws {DataError} from the returned function, for that first row
 */
export function createEntryReader(options: EntryOptions): (item: Item) => EntryOrDrop {
  const { kind, columns: given, source } = options;
  const known = new Map<string, Columns>();
  const columnsOf = (fields: Readonly<Record<string, unknown>>): Columns => {
    const keys = Object.keys(fields);
    const signature = keys.join('\0');
    const columns = known.get(signature) ?? findColumns(keys, given);
    if (known.size === 0 && !isComplete(columns, kind)) throw missingColumns(keys, { kind, source, given });
    if (known.size < 1000) known.set(signature, columns);
    return columns;
  };
  return (item) => {
    if (item.kind === 'dropped') return { kind: 'dropped', reason: item.reason };
    if (item.kind === 'document') return textEntry(item.text);
    return readers[kind](item.fields, columnsOf(item.fields));
  };
}

type RowReader = (fields: Readonly<Record<string, unknown>>, columns: Columns) => EntryOrDrop;

const drop = (reason: DropReason): EntryOrDrop => ({ kind: 'dropped', reason });

const cell = (fields: Readonly<Record<string, unknown>>, key: string | undefined): string | undefined => {
  const value = key === undefined ? undefined : fields[key];
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
};

function textEntry(raw: string | undefined): EntryOrDrop {
  if (raw === undefined) return drop('missing_text');
  const text = normalise(raw);
  return text.trim() === '' ? drop('empty') : { kind: 'text', text };
}

const readers: Record<DataKind, RowReader> = {
  text: (fields, { text }) => textEntry(cell(fields, text)),

  labelled: (fields, { text, label }) => {
    const entry = textEntry(cell(fields, text));
    const name = normalise(cell(fields, label) ?? '').trim();
    if (entry.kind !== 'text') return entry;
    return name === '' ? drop('missing_label') : { kind: 'labelled', text: entry.text, label: name };
  },

  instructions: (fields, columns) => {
    const messages = columns.messages ? readMessages(fields[columns.messages]) : toMessages(fields, columns);
    if (!messages) return drop('missing_messages');
    const isAnswered = messages.some(({ role, content }) => role === 'assistant' && content.trim() !== '');
    return isAnswered ? { kind: 'instructions', messages } : drop('empty');
  },
};

/** Instruction and input become what the user says, a blank line between them. */
function toMessages(fields: Readonly<Record<string, unknown>>, columns: Columns): Message[] | undefined {
  const [instruction, input, output, system] = (['instruction', 'input', 'output', 'system'] as const).map((role) =>
    normalise(cell(fields, columns[role]) ?? '').trim(),
  ) as [string, string, string, string];
  if (instruction === '' || columns.output === undefined) return undefined;
  return [
    ...(system ? [{ role: 'system', content: system }] : []),
    { role: 'user', content: input ? `${instruction}\n\n${input}` : instruction },
    { role: 'assistant', content: output },
  ];
}

/** `{role, content}`, or ShareGPT's `{from, value}`. */
function readMessages(value: unknown): Message[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const messages = value.map((message: unknown): Message | undefined => {
    const { role, content, from, value: said } = (message ?? {}) as Record<string, unknown>;
    const [speaker, text] = [role ?? from, content ?? said];
    if (typeof speaker !== 'string' || typeof text !== 'string') return undefined;
    return { role: usualRoles[speaker] ?? speaker, content: normalise(text) };
  });
  return messages.every((message) => message !== undefined) ? messages : undefined;
}

const usualRoles: Record<string, string> = { human: 'user', gpt: 'assistant', bot: 'assistant' };

/** What an entry is compared by: two that say the same are duplicates. */
export const contentOf = (entry: Entry): string =>
  entry.kind === 'instructions' ? JSON.stringify(entry.messages) : entry.text;

/** What decides an entry's part: the question without its answer, so that one question is never on both sides. */
export const questionOf = (entry: Entry): string =>
  entry.kind === 'instructions'
    ? JSON.stringify(entry.messages.filter(({ role }) => role !== 'assistant'))
    : entry.text;
