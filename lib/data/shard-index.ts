// The index beside a token shard: how long each document or row is, its label, which of its tokens carry loss. Little-endian:
//   "STRATAIX" · u32 version · u32 flags (1 labels, 2 loss mask) · u64 rows · u64 tokens · u32 lengths[rows] · i32 labels[rows] · u8 mask[tokens / 8]
// The tokens themselves are raw u16 or u32 in a .bin file without header, as nanoGPT's.

export interface ShardIndex {
  /** Tokens of each row. */
  lengths: Uint32Array;
  /** Class of each row. */
  labels?: Int32Array | undefined;
  /** One bit a token, lowest first: 1 where it carries loss. */
  mask?: Uint8Array | undefined;
}

/** A shard that does not hold what it should; the message names it. */
export class ShardError extends Error {
  override readonly name = 'ShardError';
}

const magic = new TextEncoder().encode('STRATAIX');
const version = 1;
const headerBytes = 32;
const hasLabels = 1;
const hasMask = 2;

const tokensOf = (lengths: Uint32Array): number => lengths.reduce((sum, length) => sum + length, 0);

export function encodeIndex({ lengths, labels, mask }: ShardIndex): Uint8Array {
  const rows = lengths.length;
  const bytes = new Uint8Array(headerBytes + 4 * rows + (labels ? 4 * rows : 0) + (mask?.length ?? 0));
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  view.setUint32(8, version, true);
  view.setUint32(12, (labels ? hasLabels : 0) | (mask ? hasMask : 0), true);
  view.setBigUint64(16, BigInt(rows), true);
  view.setBigUint64(24, BigInt(tokensOf(lengths)), true);
  let offset = headerBytes;
  for (const column of [lengths, labels, mask]) {
    if (!column) continue;
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), offset);
    offset += column.byteLength;
  }
  return bytes;
}

/** @throws {ShardError} naming `name` where the bytes are no index, are cut short, or contradict themselves */
export function decodeIndex(bytes: Uint8Array, name: string): ShardIndex {
  const refuse = (why: string): never => {
    throw new ShardError(`${name} is damaged: ${why}`);
  };
  if (bytes.length < headerBytes || magic.some((byte, i) => byte !== bytes[i])) refuse('it is no shard index');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(8, true) !== version)
    refuse(`version ${view.getUint32(8, true)} is unknown (this code reads version ${version})`);
  const flags = view.getUint32(12, true);
  const rows = Number(view.getBigUint64(16, true));
  const tokens = Number(view.getBigUint64(24, true));
  const maskBytes = flags & hasMask ? Math.ceil(tokens / 8) : 0;
  const expected = headerBytes + 4 * rows + (flags & hasLabels ? 4 * rows : 0) + maskBytes;
  if (bytes.length !== expected) refuse(`${bytes.length} bytes, but ${rows} rows of ${tokens} tokens take ${expected}`);

  // Copied, because columns need not lie at multiples of four in the caller's buffer.
  const column = (start: number, length: number): ArrayBuffer =>
    new Uint8Array(bytes.subarray(start, start + length)).buffer;
  const lengths = new Uint32Array(column(headerBytes, 4 * rows));
  if (tokensOf(lengths) !== tokens) refuse(`its rows have ${tokensOf(lengths)} tokens, its header says ${tokens}`);
  const labelsAt = headerBytes + 4 * rows;
  const maskAt = expected - maskBytes;
  return {
    lengths,
    labels: flags & hasLabels ? new Int32Array(column(labelsAt, 4 * rows)) : undefined,
    mask: flags & hasMask ? new Uint8Array(column(maskAt, maskBytes)) : undefined,
  };
}
