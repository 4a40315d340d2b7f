// A pseudo-random permutation of 0 … size - 1 that answers for any place at once and keeps no table: a Feistel network over a rectangle of at
// least `size` cells, walked until it lands inside (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
import { hash32, mix32 } from './hash.ts';

export interface Permutation {
  readonly size: number;
  /** The item at a place, 0 … size - 1. */
  at(place: number): number;
}

const rounds = 8;

/** The same size and key words give the same permutation. `size` up to 2^52. */
export function createPermutation(size: number, ...key: number[]): Permutation {
  const columns = Math.max(1, Math.ceil(Math.sqrt(size)));
  const rows = Math.max(1, Math.ceil(size / columns));
  const keys = Uint32Array.from({ length: rounds }, (_, round) => hash32(...key, round));

  /** Each side in turn is shifted by what the other side and the round's key say: every round can be undone. */
  const scramble = (cell: number): number => {
    let row = Math.floor(cell / columns);
    let column = cell - row * columns;
    for (let round = 0; round < rounds; round += 2) {
      row = (row + mix32(column ^ (keys[round] as number))) % rows;
      column = (column + mix32(row ^ (keys[round + 1] as number))) % columns;
    }
    return row * columns + column;
  };

  return {
    size,
    at: (place) => {
      let cell = scramble(place);
      while (cell >= size) cell = scramble(cell);
      return cell;
    },
  };
}
