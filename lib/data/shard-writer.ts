// Writes one split's tokens as shards (NAME-00000.bin with its index NAME-00000.idx, …) into a folder, in memory that does not grow with the data.
// Blocking: call it in a worker. A shard ends with the first row that fills it; readers see all shards of a split as one array.
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeIndex, encodeIndex } from './shard-index.ts';

/** Vocabularies of up to 65,536 ids take two bytes a token. */
export const tokenBytesOf = (vocabSize: number): 2 | 4 => (vocabSize <= 65_536 ? 2 : 4);

export interface ShardFiles {
  /** Relative to the folder. */
  tokens: string;
  index: string;
  tokenCount: number;
  rowCount: number;
}

export interface ShardWriterOptions {
  folder: string;
  /** "train": the files' first name. */
  name: string;
  vocabSize: number;
  /** Whether rows have labels, or tokens a loss mask. */
  columns?: 'labels' | 'mask' | undefined;
  /** A shard is full with so many tokens. Default 32 Mi. */
  shardTokens?: number;
}

export interface ShardWriter {
  /** Appends to the present row. */
  write(ids: Int32Array, mask?: Uint8Array): void;
  endRow(label?: number): void;
  /** All shards, the last one closed. Nothing may be written afterwards. */
  finish(): ShardFiles[];
  /** Closes files without finishing. */
  close(): void;
}

const bufferTokens = 1 << 18;

export function createShardWriter(options: ShardWriterOptions): ShardWriter {
  const { shardTokens = 32 * 1024 * 1024 } = options;
  const shards: ShardFiles[] = [];
  let shard: OpenShard | undefined;
  const present = (): OpenShard => (shard ??= openShard(options, shards.length));
  const endShard = (): void => {
    if (shard) shards.push(shard.finish());
    shard = undefined;
  };
  return {
    write: (ids, mask) => present().write(ids, mask),
    endRow: (label) => {
      const shard = present();
      shard.endRow(label);
      if (shard.tokenCount >= shardTokens) endShard();
    },
    finish: () => {
      endShard();
      return shards;
    },
    close: () => shard?.close(),
  };
}

interface OpenShard {
  readonly tokenCount: number;
  write(ids: Int32Array, mask: Uint8Array | undefined): void;
  endRow(label: number | undefined): void;
  finish(): ShardFiles;
  close(): void;
}

function openShard({ folder, name, vocabSize, columns }: ShardWriterOptions, number: number): OpenShard {
  const stem = `${name}-${String(number).padStart(5, '0')}`;
  const file = openSync(join(folder, `${stem}.bin`), 'w');
  const buffer = tokenBytesOf(vocabSize) === 2 ? new Uint16Array(bufferTokens) : new Uint32Array(bufferTokens);
  const lengths = createColumn(Uint32Array);
  const labels = columns === 'labels' ? createColumn(Int32Array) : undefined;
  const mask = columns === 'mask' ? createColumn(Uint8Array) : undefined;
  let buffered = 0;
  let tokenCount = 0;
  let rowStart = 0;

  const flush = (): void => {
    writeFileSync(file, new Uint8Array(buffer.buffer, 0, buffered * buffer.BYTES_PER_ELEMENT));
    buffered = 0;
  };
  const writeToken = (id: number): void => {
    if (id < 0 || id >= vocabSize) throw new RangeError(`token ${id} is outside the vocabulary of ${vocabSize}`);
    if (buffered === bufferTokens) flush();
    buffer[buffered++] = id;
  };
  const maskToken = (carriesLoss: number): void => {
    const bit = tokenCount % 8;
    if (bit === 0) mask?.push(0);
    if (carriesLoss) mask?.setLast(mask.last() | (1 << bit));
  };
  return {
    get tokenCount() {
      return tokenCount;
    },
    write: (ids, carriesLoss) => {
      for (let i = 0; i < ids.length; i++) {
        writeToken(ids[i] as number);
        if (mask) maskToken(carriesLoss?.[i] ?? 1);
        tokenCount++;
      }
    },
    endRow: (label) => {
      lengths.push(tokenCount - rowStart);
      labels?.push(label ?? -1);
      rowStart = tokenCount;
    },
    finish: () => {
      const index = { lengths: lengths.values(), labels: labels?.values(), mask: mask?.values() };
      writeFileSync(join(folder, `${stem}.idx`), encodeIndex(index));
      flush();
      closeSync(file);
      return { tokens: `${stem}.bin`, index: `${stem}.idx`, tokenCount, rowCount: index.lengths.length };
    },
    close: () => closeSync(file),
  };
}

/** Gives the labels of a written shard other numbers. */
export function renumberLabels(folder: string, { index }: ShardFiles, numbers: readonly number[]): void {
  const path = join(folder, index);
  const { labels, ...rest } = decodeIndex(readFileSync(path), index);
  writeFileSync(path, encodeIndex({ ...rest, labels: labels?.map((label) => numbers[label] ?? -1) }));
}

type Numbers = Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

/** A typed array that grows. */
function createColumn<T extends Numbers>(type: new (length: number) => T) {
  let values = new type(1024);
  let length = 0;
  return {
    push(value: number): void {
      if (length === values.length) {
        const larger = new type(2 * length);
        larger.set(values);
        values = larger;
      }
      values[length++] = value;
    },
    last: (): number => values[length - 1] as number,
    setLast(value: number): void {
      values[length - 1] = value;
    },
    values: (): T => values.subarray(0, length) as T,
  };
}
