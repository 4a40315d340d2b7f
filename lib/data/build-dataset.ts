// Raw files -> a dataset's shards in a folder: parse, normalise, de-duplicate, split, encode, write. Nothing but one document and the hashes of all
// is held in memory. The same files and settings give the same bytes. Blocks while it encodes: call it in a worker.
import type { Tokenizer } from '#lib/text/tokenizer.ts';
import { type Census, createCensus, type DroppedRow } from './census.ts';
import type { DataKind } from './columns.ts';
import { DataError } from './data-error.ts';
import { createDeduplicator } from './dedup.ts';
import { contentOf, createEntryReader, type Entry, type EntryOrDrop, questionOf } from './entry.ts';
import { createLabels } from './labels.ts';
import { parseSource } from './parse.ts';
import { createShardWriter, renumberLabels } from './shard-writer.ts';
import type { Source } from './source.ts';
import { type SplitName, type SplitShares, splitContiguously, splitNames, splitOf } from './split.ts';
import { type BuiltSplit, createEntryWriter, type Dropped, type Part } from './write-entry.ts';

export interface BuildOptions {
  kind: DataKind;
  sources: readonly Source[];
  tokenizer: Tokenizer;
  /** An existing, empty folder. */
  folder: string;
  shares: SplitShares;
  /** Text: every document is cut, instead of going to one part as a whole. Always so where the only source is one document. */
  contiguous: boolean;
  seed: number;
  keepDuplicates: boolean;
  /** Role -> the column's name, where it is no usual one. */
  columns: Readonly<Record<string, string>>;
  /** What separates documents in text files; empty: each is one document. */
  separator: string;
  /** Labelled rows are cut there, longer conversations are dropped. */
  maxRowTokens: number;
  /** Labelled: the classes in the order of their ids; empty: those found, sorted. */
  labelNames: readonly string[];
  shardTokens?: number | undefined;
  /** Hears how many bytes of the sources have been read. */
  onProgress?: ((bytes: number) => void) | undefined;
}

export interface BuiltDataset {
  /** Only parts with something in them. */
  splits: BuiltSplit[];
  labelNames: string[];
  dropped: Record<string, number>;
  droppedRows: DroppedRow[];
}

/** @throws {DataError} where nothing can be made of the data; the folder's content then means nothing */
export async function buildDataset(options: BuildOptions): Promise<BuiltDataset> {
  const { kind, sources, columns, folder } = options;
  const labels = createLabels(options.labelNames);
  const census = createCensus();
  const parts = createParts(options);
  try {
    const writeEntry = createEntryWriter({ ...options, labels });
    const assign = createAssignment(options);
    const take = (entry: EntryOrDrop, source: Source, line: number): Dropped[] => {
      if (entry.kind === 'dropped') return [entry];
      if (!assign.isNew(entry)) return [{ reason: 'duplicate' }];
      const write = ([part, piece]: [SplitName, Entry]) => writeEntry(parts.get(part), piece) ?? [];
      return located(source, line, () => assign.parts(entry, source).flatMap(write));
    };
    let bytes = 0;
    const onBytes = (count: number): void => {
      bytes += count;
      options.onProgress?.(bytes);
    };
    for (const source of sources) {
      const toEntry = createEntryReader({ kind, columns, source: source.name });
      for await (const item of parseSource(source, { ...options, onBytes })) {
        census.seen();
        for (const { reason, detail } of take(toEntry(item), source, item.line)) {
          census.drop({ reason, detail, source: source.name, line: item.line });
        }
      }
    }
    const { names, finalIds } = labels.finish();
    const splits = parts.finish((id) => names[finalIds[id] as number] as string);
    for (const { shards } of kind === 'labelled' ? splits : []) {
      for (const shard of shards) renumberLabels(folder, shard, finalIds);
    }
    refuseEmpty(splits, census, options);
    return { splits, labelNames: kind === 'labelled' ? names : [], dropped: census.dropped, droppedRows: census.first };
  } finally {
    parts.close();
  }
}

/** Which entries are kept, and the part or parts that each goes to. */
function createAssignment(options: BuildOptions) {
  const { kind, seed, shares, keepDuplicates } = options;
  const known = createDeduplicator();
  const contiguous = kind === 'text' && (options.contiguous || isLoneDocument(options));
  return {
    isNew: (entry: Entry): boolean => keepDuplicates || known.add(contentOf(entry)),
    parts: (entry: Entry, { split }: Source): [SplitName, Entry][] => {
      if (split) return [[split, entry]];
      if (entry.kind !== 'text' || !contiguous) return [[splitOf(questionOf(entry), seed, shares), entry]];
      const texts = splitContiguously(entry.text, shares);
      const pieces = splitNames.map((part): [SplitName, Entry] => [part, { ...entry, text: texts[part] }]);
      return pieces.filter(([part]) => texts[part] !== '');
    },
  };
}

/** One document can only be cut: its hash would send it to one part as a whole. */
const isLoneDocument = ({ sources: [first, ...others], separator }: BuildOptions): boolean =>
  others.length === 0 && first?.format === 'text' && separator === '';

/** The parts that have got something so far. */
function createParts({ kind, folder, tokenizer, shardTokens }: BuildOptions) {
  const columns = kind === 'labelled' ? 'labels' : kind === 'instructions' ? 'mask' : undefined;
  const parts = new Map<SplitName, Part>();
  const open = (name: SplitName): Part => ({
    writer: createShardWriter({
      folder,
      name,
      vocabSize: tokenizer.vocabSize,
      columns,
      ...(shardTokens && { shardTokens }),
    }),
    statistics: { name, documents: 0, tokens: 0, lossTokens: 0, bytes: 0, labels: {}, shards: [] },
    rowsOfLabel: [],
  });
  return {
    get: (name: SplitName): Part => {
      const part = parts.get(name) ?? open(name);
      parts.set(name, part);
      return part;
    },
    finish: (nameOf: (label: number) => string): BuiltSplit[] =>
      splitNames.flatMap((name) => {
        const part = parts.get(name);
        if (!part?.statistics.documents) return [];
        const labels = Object.fromEntries(
          Object.entries(part.rowsOfLabel).map(([id, rows]) => [nameOf(Number(id)), rows]),
        );
        return [{ ...part.statistics, labels, shards: part.writer.finish() }];
      }),
    close: (): void => {
      for (const { writer } of parts.values()) writer.close();
    },
  };
}

/** Says where the data stood that an error is about. */
function located<T>({ name }: Source, line: number, use: () => T): T {
  try {
    return use();
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    throw new DataError(error.problem, `${name} line ${line}: ${error.message}`, { cause: error });
  }
}

/** A dataset needs something to train on, and something in every part that was asked for; a dataset of held-out files only is fine. */
function refuseEmpty(splits: readonly BuiltSplit[], census: Census, { shares, sources }: BuildOptions): void {
  const names = sources.map(({ name }) => name).join(', ');
  if (splits.length === 0) {
    const why = census.rows === 0 ? 'there is nothing in them' : `all was left out: ${census.describe()}`;
    throw new DataError('empty', `no data in ${names}: ${why}`);
  }
  const documents = splits.reduce((sum, split) => sum + split.documents, 0);
  const isThere = (name: SplitName): boolean => splits.some((split) => split.name === name);
  const wanted = {
    train: sources.some(({ split }) => !split),
    validation: shares.validation > 0,
    test: shares.test > 0,
  };
  const empty = splitNames.filter((name) => wanted[name] && !isThere(name));
  if (empty.length === 0) return;
  throw new DataError(
    'split',
    `nothing of ${documents} documents fell to ${empty.join(' and ')} (validation ${shares.validation}, test ${shares.test}): choose other shares or another seed, cut documents (contiguous), or name a file for the part`,
  );
}
