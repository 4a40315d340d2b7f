// Seeded random numbers for fresh weights: the same on every machine.
const { imul, log, sqrt } = Math; // inside jest's contexts a lookup on Math is slow

/** Uniform 32-bit integers from a seed and a stream name: xoshiro128** (Blackman, Vigna 2018), seeded by splitmix32. */
function createUniform(seed: number, stream: string): () => number {
  let mixed = hash(`${seed}/${stream}`);
  const split = (): number => {
    mixed = (mixed + 0x9e3779b9) | 0;
    let z = imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    z = imul(z ^ (z >>> 13), 0xc2b2ae35);
    return z ^ (z >>> 16);
  };
  let [a, b, c, d] = [split(), split(), split(), split()];
  return () => {
    const product = imul(b, 5);
    const result = imul((product << 7) | (product >>> 25), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result >>> 0;
  };
}

/** FNV-1a over UTF-16 units. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = imul(value ^ text.charCodeAt(i), 0x01000193);
  return value;
}

/** `size` normal values with mean 0, by Marsaglia's polar method. `stream` tells tensors with one seed apart. */
export function normalValues(
  size: number,
  { seed, stream, std }: { seed: number; stream: string; std: number },
): Float32Array {
  const uniform = createUniform(seed, stream);
  const values = new Float32Array(size);
  for (let i = 0; i < size; ) {
    const x = uniform() / 2 ** 31 - 1;
    const y = uniform() / 2 ** 31 - 1;
    const square = x * x + y * y;
    if (square === 0 || square >= 1) continue;
    const scale = std * sqrt((-2 * log(square)) / square);
    values[i++] = x * scale;
    if (i < size) values[i++] = y * scale;
  }
  return values;
}
