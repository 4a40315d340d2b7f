// Which column or key of a row plays which role, by the caller's word or by its usual names; and whether a table's first line is a header.
import { DataError } from './data-error.ts';

export const dataKinds = ['text', 'labelled', 'instructions'] as const;
export type DataKind = (typeof dataKinds)[number];

export const roles = ['text', 'label', 'instruction', 'input', 'output', 'system', 'messages'] as const;
export type Role = (typeof roles)[number];

/** Role -> key in the row. */
export type Columns = Partial<Record<Role, string>>;

const usualNames: Record<Role, readonly string[]> = {
  text: ['text', 'sentence', 'content', 'document'],
  label: ['label', 'class', 'category'],
  instruction: ['instruction', 'prompt', 'question'],
  input: ['input', 'context'],
  output: ['output', 'response', 'completion', 'answer'],
  system: ['system'],
  messages: ['messages', 'conversation', 'conversations'],
};

/** One of these sets of roles has to be there. */
const required: Record<DataKind, readonly (readonly Role[])[]> = {
  text: [['text']],
  labelled: [['text', 'label']],
  instructions: [['messages'], ['instruction', 'output']],
};

/** The columns among `keys`; roles that none plays are absent. */
export function findColumns(keys: readonly string[], given: Readonly<Record<string, string>>): Columns {
  const found: Columns = {};
  for (const role of roles) {
    const names = given[role] === undefined ? usualNames[role] : [given[role].toLowerCase()];
    const name = names.find((name) => keys.some((key) => key.trim().toLowerCase() === name));
    const key = keys.find((key) => key.trim().toLowerCase() === name);
    if (key !== undefined) found[role] = key;
  }
  return found;
}

/** Whether rows of this kind can be made of these columns. */
export const isComplete = (columns: Columns, kind: DataKind): boolean =>
  required[kind].some((set) => set.every((role) => columns[role] !== undefined));

/** The error for rows whose columns do not do; it says what there is and what to give. */
export function missingColumns(keys: readonly string[], { kind, source, given }: MissingOptions): DataError {
  const found = findColumns(keys, given);
  const absent = Object.entries(given).find(([role, name]) => found[role as Role] === undefined && name !== '');
  const has = keys.map((key) => JSON.stringify(key.length > 40 ? `${key.slice(0, 40)}…` : key)).join(', ');
  if (absent) {
    return new DataError(
      'columns',
      `${source} has no column ${JSON.stringify(absent[1])} (${absent[0]}); it has ${has}`,
    );
  }
  const wanted = required[kind].map((set) => set.join(' and ')).join(', or ');
  return new DataError(
    'columns',
    `${source} has no columns for ${wanted}; it has ${has}: name them, such as text -> ${has.split(', ')[0]}, or by number where there is no header line`,
  );
}

interface MissingOptions {
  kind: DataKind;
  source: string;
  given: Readonly<Record<string, string>>;
}

export interface Table {
  /** Names of the cells. */
  keys: string[];
  hasHeader: boolean;
}

/**
 * Reads the first rows of a table. A header names the columns; without one they are "1", "2", …, and two columns of labelled rows
 * are label and text (the SMS collection's form), if the first cell comes again as a label does.
 * @throws {DataError} where neither is the case
 */
export function readHeader(rows: readonly (readonly string[])[], options: MissingOptions): Table {
  const { kind, given } = options;
  const [first = []] = rows;
  const numbers = first.map((_, i) => String(i + 1));
  const named = Object.values(given);
  if (
    named.length > 0 &&
    named.every((name) => numbers.includes(name)) &&
    !named.some((name) => first.includes(name))
  ) {
    return { keys: numbers, hasHeader: false };
  }
  if (isComplete(findColumns(first, given), kind)) return { keys: [...first], hasHeader: true };
  const isRepeated = rows.slice(1).some(([cell]) => cell === first[0]);
  if (kind === 'labelled' && named.length === 0 && first.length === 2 && isRepeated) {
    return { keys: ['label', 'text'], hasHeader: false };
  }
  throw missingColumns(first, options);
}
