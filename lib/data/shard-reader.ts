// Reads a split's shards as one array of tokens, at any place. Bytes come from the files as they are asked for: the operating system's page cache
// is the cache, so a split may be larger than memory. Sizes are checked here, hashes by whoever fetched the files (lib/platform/manifest.ts).
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { decodeIndex, ShardError, type ShardIndex } from './shard-index.ts';

export interface ShardPaths {
  /** What messages call the shard. */
  name: string;
  tokens: string;
  /** Needed for rows only. */
  index?: string | undefined;
}

export interface OpenShardsOptions {
  shards: readonly ShardPaths[];
  tokenBytes: 2 | 4;
}

export interface Row {
  /** First token of the row in the split. */
  start: number;
  length: number;
  label: number;
}

/** @throws {ShardError} from every method where the files are not what they were */
export interface ShardReader extends Disposable {
  readonly tokenCount: number;
  /** Rows, where the shards were opened with their indexes; otherwise 0. */
  readonly rowCount: number;
  /** Fills `into` with the tokens from `start` on. */
  read(start: number, into: Int32Array): void;
  row(row: number): Row;
  /** Which of a row's tokens carry loss, from its first on, as far as `into` goes; 1 everywhere without a mask. */
  readMask(row: number, into: Uint8Array): void;
  close(): void;
}

export function openShards({ shards, tokenBytes }: OpenShardsOptions): ShardReader {
  const files: TokenFile[] = [];
  const close = (): void => {
    for (const file of files.splice(0)) closeSync(file.descriptor);
  };
  try {
    for (const { name, tokens } of shards) files.push(openTokenFile(name, tokens, tokenBytes));
    const starts = startsOf(files.map(({ tokenCount }) => tokenCount));
    const tokenCount = starts.at(-1) as number;
    const rows = createRows(shards, files);
    return {
      tokenCount,
      ...rows,
      read: (start, into) => {
        if (start < 0 || start + into.length > tokenCount) {
          throw new RangeError(`tokens ${start} to ${start + into.length} of a split of ${tokenCount}`);
        }
        let done = 0;
        for (let shard = shardOf(starts, start); done < into.length; shard++) {
          const offset = start + done - (starts[shard] as number);
          const count = Math.min(into.length - done, (files[shard] as TokenFile).tokenCount - offset);
          (files[shard] as TokenFile).read(offset, into.subarray(done, done + count));
          done += count;
        }
      },
      close,
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

interface TokenFile {
  descriptor: number;
  tokenCount: number;
  read(offset: number, into: Int32Array): void;
}

function openTokenFile(name: string, path: string, tokenBytes: 2 | 4): TokenFile {
  const descriptor = openSync(path, 'r');
  const { size } = fstatSync(descriptor);
  if (size % tokenBytes) {
    closeSync(descriptor);
    throw new ShardError(`${name} is damaged: ${size} bytes are no whole tokens of ${tokenBytes} bytes`);
  }
  let scratch = new ArrayBuffer(8192);
  return {
    descriptor,
    tokenCount: size / tokenBytes,
    read: (offset, into) => {
      const bytes = into.length * tokenBytes;
      if (bytes > scratch.byteLength) scratch = new ArrayBuffer(bytes);
      const got = readSync(descriptor, new Uint8Array(scratch, 0, bytes), 0, bytes, offset * tokenBytes);
      if (got !== bytes) throw new ShardError(`${name} is damaged: it ends ${bytes - got} bytes too soon`);
      into.set(tokenBytes === 2 ? new Uint16Array(scratch, 0, into.length) : new Int32Array(scratch, 0, into.length));
    },
  };
}

function createRows(shards: readonly ShardPaths[], files: readonly TokenFile[]) {
  const indexes = shards.flatMap((shard, i) =>
    shard.index ? [readIndex(shard.name, shard.index, files[i] as TokenFile)] : [],
  );
  const rowStarts = startsOf(indexes.map(({ lengths }) => lengths.length));
  const firstTokens = startsOf(files.map(({ tokenCount }) => tokenCount));
  const offsets = indexes.map(({ lengths }) => startsOf(lengths));
  const rowCount = rowStarts.at(-1) as number;

  const locate = (row: number) => {
    if (!(row >= 0 && row < rowCount)) throw new RangeError(`row ${row} of a split of ${rowCount} rows`);
    const shard = shardOf(rowStarts, row);
    const index = indexes[shard] as ShardIndex;
    const place = row - (rowStarts[shard] as number);
    const offset = offsets[shard]?.[place] as number;
    return { index, place, offset, start: (firstTokens[shard] as number) + offset };
  };
  return {
    rowCount,
    row: (row: number): Row => {
      const { index, place, start } = locate(row);
      return { start, length: index.lengths[place] as number, label: index.labels?.[place] ?? -1 };
    },
    readMask: (row: number, into: Uint8Array): void => {
      const { index, offset } = locate(row);
      const { mask } = index;
      for (let i = 0; i < into.length; i++) {
        const token = offset + i;
        into[i] = mask ? ((mask[token >>> 3] as number) >>> (token & 7)) & 1 : 1;
      }
    },
  };
}

function readIndex(name: string, path: string, { tokenCount }: TokenFile): ShardIndex {
  const index = decodeIndex(readFileSync(path), `the index of ${name}`);
  const tokens = index.lengths.reduce((sum, length) => sum + length, 0);
  if (tokens === tokenCount) return index;
  throw new ShardError(`the index of ${name} is damaged: it speaks of ${tokens} tokens, the shard has ${tokenCount}`);
}

/** Where each of several pieces begins when they lie one after the other; last the end of all. */
function startsOf(lengths: ArrayLike<number>): Float64Array {
  const starts = new Float64Array(lengths.length + 1);
  for (let i = 0; i < lengths.length; i++) starts[i + 1] = (starts[i] as number) + (lengths[i] as number);
  return starts;
}

/** The piece that `place` lies in. */
function shardOf(starts: Float64Array, place: number): number {
  let low = 0;
  let high = starts.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((starts[middle] as number) <= place) low = middle;
    else high = middle - 1;
  }
  return low;
}
